"""What a person does to a token: one URL each, POST only."""

import uuid

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from portal import wakeup
from portal.flows.revoke import cancel as cancel_request
from portal.flows.revoke import revoke as revoke_token
from portal.logs import mask
from portal.models import Token
from portal.policy import NotPermittedError, WrongStateError
from portal.tasks import enqueue_revoke
from portal.text import without_unseen
from portal.views import edge, explain, tokens


@require_POST
def revoke(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """End a token."""
    token = tokens.find(request, token_id)
    try:
        revoke_token(token.pk, actor=edge.actor(request), reason=_reason(request))
    except NotPermittedError:
        raise PermissionDenied from None
    except WrongStateError as wrong:
        return conflict(request, wrong, "revoked")
    enqueue_revoke(token.pk)
    wakeup.ring(token.pk)
    return redirect("token", token.pk)


@require_POST
def cancel(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Withdraw a request that has no key yet."""
    token = tokens.find(request, token_id)
    try:
        cancel_request(token.pk, actor=edge.actor(request), reason=_reason(request))
    except NotPermittedError:
        raise PermissionDenied from None
    except WrongStateError as wrong:
        return conflict(request, wrong, "withdrawn")
    wakeup.ring(token.pk)
    return redirect("token", token.pk)


def _reason(request: HttpRequest) -> str:
    """Cut and masked rather than refused: no reason is too odd to end a token."""
    return mask(without_unseen(request.POST.get("reason", "")).strip())[:500]


def conflict(
    request: HttpRequest, wrong: WrongStateError, wanted: str, *, replacement: Token | None = None
) -> HttpResponse:
    """409: who did what when, instead of what was asked for."""
    token = wrong.token
    return render(
        request,
        "tokens/conflict.html",
        {
            "token": token,
            "wanted": wanted,
            "message": explain.message(token),
            "replacement": replacement,
        },
        status=409,
    )
