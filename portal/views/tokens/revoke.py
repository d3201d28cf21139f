"""What a person does to a token: one URL each, POST only."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal import requester
from portal.flows.revoke import cancel as cancel_request
from portal.flows.revoke import revoke as revoke_token
from portal.limits import table
from portal.logs import mask
from portal.tasks import follow_up
from portal.text import without_unseen
from portal.views.limiting import limited
from portal.views.tokens.find import visible_token
from portal.views.way_back import posted_from


@posted_from("token")
@limited(table.ENDS)
def revoke(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """End a token."""
    token = visible_token(request, token_id)
    follow_up(revoke_token(token.pk, actor=requester.actor(request), reason=_reason(request)))
    return redirect("token", token.pk)


@posted_from("token")
@limited(table.ENDS)
def cancel(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Withdraw a request that has no key yet."""
    token = visible_token(request, token_id)
    follow_up(cancel_request(token.pk, actor=requester.actor(request), reason=_reason(request)))
    return redirect("token", token.pk)


def _reason(request: HttpRequest) -> str:
    """Cut and masked rather than refused: no reason is too odd to end a token."""
    return mask(without_unseen(request.POST.get("reason", "")).strip())[:500]
