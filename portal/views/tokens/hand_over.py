"""A token gets another owner. POST only; the form stands on the token's page."""

import uuid

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.flows.hand_over import HandOverRefusedError
from portal.flows.hand_over import hand_over as hand_token_over
from portal.forms import HandOverForm
from portal.forms.selects import found, typed
from portal.limits import table
from portal.requester import answers_json
from portal.tasks import follow_up
from portal.views.limiting import limited
from portal.views.tokens import page
from portal.views.tokens.find import visible_token
from portal.views.way_back import posted_from


@posted_from("token")
@limited(table.HANDOVERS)
def hand_over(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Make somebody else of the team the token's owner."""
    token = visible_token(request, token_id)
    policy.require(policy.may_hand_over, requester.person(request), token)
    form = HandOverForm(request.POST)
    if form.is_valid():
        person, reason = form.cleaned_data["person"], form.cleaned_data["reason"]
        try:
            effects = hand_token_over(
                token.pk, to=person, actor=requester.actor(request), reason=reason
            )
        except HandOverRefusedError as refusal:
            form.add_error("person", str(refusal))
        else:
            follow_up(effects)
            return redirect("token", token.pk)
    return page.page(request, token, status=422, hand_over_form=form)


@answers_json
@require_safe
def possible_owners(request: HttpRequest, token_id: uuid.UUID) -> JsonResponse:
    """Who may become its owner, by a part of address or name: for a list that is cut."""
    token = visible_token(request, token_id)
    if not policy.may_hand_over(requester.person(request), token):
        raise PermissionDenied
    people = policy.possible_owners_like(token, typed(request))
    return JsonResponse(found([(one.email, one.email) for one in people]))
