"""What uses a token, as people write it down. POST only; the form stands on the token's page."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal import policy, requester
from portal.flows.describe import describe
from portal.forms import UsesForm
from portal.limits import table
from portal.tasks import follow_up
from portal.views.limiting import limited
from portal.views.tokens import page
from portal.views.tokens.find import visible_token
from portal.views.way_back import posted_from


@posted_from("token")
@limited(table.HANDOVERS)
def uses(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Change what the token's record says of its use."""
    token = visible_token(request, token_id)
    policy.require(policy.may_describe, requester.person(request), token)
    form = UsesForm(request.POST)
    if not form.is_valid():
        return page.page(request, token, status=422, uses_form=form)
    wanted = form.cleaned_data["uses"]
    follow_up(describe(token.pk, wanted, actor=requester.actor(request)))
    return redirect("token", token.pk)
