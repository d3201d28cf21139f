"""A token gets another owner. POST only; the form stands on the token's page."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal import policy
from portal.flows.hand_over import HandOverRefusedError
from portal.flows.hand_over import hand_over as hand_token_over
from portal.forms import HandOverForm
from portal.limits import table
from portal.tasks import follow_up
from portal.views import edge, record, tokens
from portal.views.limiting import limited
from portal.views.ways import posted_from


@posted_from("token")
@limited(table.HANDOVERS)
def hand_over(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Make somebody else of the team the token's owner."""
    token = tokens.find(request, token_id)
    policy.require(policy.may_hand_over, edge.person(request), token)
    form = HandOverForm(request.POST)
    if form.is_valid():
        person, reason = form.cleaned_data["person"], form.cleaned_data["reason"]
        try:
            effects = hand_token_over(token.pk, to=person, actor=edge.actor(request), reason=reason)
        except HandOverRefusedError as refusal:
            form.add_error("person", str(refusal))
        else:
            follow_up(effects)
            return redirect("token", token.pk)
    return record.page(request, token, status=422, hand_over_form=form)
