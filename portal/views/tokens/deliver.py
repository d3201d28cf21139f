"""Progress, the sealed key and its confirmation, as JSON for the token's page and for programs."""

import base64
import contextlib
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST, require_safe

from portal import policy, requester, turns, wakeup
from portal.flows.deliver import Confirmation, deliver
from portal.models import State, Token
from portal.requester import answers_json
from portal.tasks import follow_up
from portal.views.tokens import explain
from portal.views.tokens.find import visible_token_bare

LONGEST_WAIT = 15.0
LOOK_AGAIN_SECONDS = 1.0
"""A ring may be lost with its server; the row is read again this often while waiting."""
WAITS_FOR_A_HUMAN = (State.AWAITING_APPROVAL, State.AWAITING_RECIPIENT)
FINGERPRINT = re.compile(r"[0-9a-f]{64}")
RECIPIENT_ALONE = "Only the recipient of this key can fetch or collect it."


@answers_json
@require_safe
def status(request: HttpRequest, token_id: uuid.UUID) -> JsonResponse:
    """Where the token is; with ``?wait=N&state=S`` as soon as that is no longer S."""
    seen = request.GET.get("state", "")
    token = _wait(request, visible_token_bare(request, token_id), lambda t: t.state == seen)
    return JsonResponse(_status(token))


@answers_json
@require_safe
def sealed(request: HttpRequest, token_id: uuid.UUID) -> JsonResponse:
    """The ciphertext, to its recipient alone, any number of times until delivery is confirmed."""
    token = _find_own(request, token_id)
    seen = request.GET.get("state")
    token = _wait(request, token, lambda t: _is_under_way(t) and (seen is None or t.state == seen))
    if token.state == State.SEALED and token.sealed_key is not None:
        return JsonResponse({"sealed_key": base64.b64encode(token.sealed_key).decode()})
    return JsonResponse(_status(token), status=202 if _is_under_way(token) else 410)


@answers_json
@require_POST
def delivered(request: HttpRequest, token_id: uuid.UUID) -> JsonResponse:
    """The browser proves with the key's fingerprint that it has opened it."""
    token = _find_own(request, token_id)
    fingerprint = request.POST.get("fingerprint", "")
    if not FINGERPRINT.fullmatch(fingerprint):
        return JsonResponse(
            {"message": "fingerprint must be the lower-case hex SHA-256 of the key."}, status=422
        )
    delivery = deliver(token.pk, fingerprint, actor=requester.actor(request))
    follow_up(delivery.effects)
    match delivery.confirmation:
        case Confirmation.DELIVERED:
            return JsonResponse({"state": delivery.state, "message": "Delivered."})
        case Confirmation.GONE:
            return JsonResponse(
                {"message": "The key was wiped before it was confirmed."}, status=410
            )
        case Confirmation.NOT_SEALED_YET:
            return JsonResponse({"message": "There is no key to confirm yet."}, status=409)
        case Confirmation.WRONG_FINGERPRINT:
            return JsonResponse({"message": "This is not the fingerprint of the key."}, status=409)


def _find_own(request: HttpRequest, token_id: uuid.UUID) -> Token:
    """The token, if the person is its recipient: others of the team may see it, and get 403."""
    token = visible_token_bare(request, token_id)
    if not policy.may_receive(requester.person(request), token):
        raise PermissionDenied(RECIPIENT_ALONE)
    return token


def _is_under_way(token: Token) -> bool:
    return token.state in (State.QUEUED, State.ISSUING, *WAITS_FOR_A_HUMAN)


def _status(token: Token) -> dict[str, Any]:
    return {
        "state": token.state,
        "message": explain.message(token),
        "name": token.name,
        "workspace": token.workspace.aws_id,
        "service_account": token.service_account.aws_id,
        "seconds_to_live": token.seconds_to_live,
        "expires_at": token.ends_at.isoformat() if token.ends_at else None,
    }


def _wait(request: HttpRequest, token: Token, unchanged: Callable[[Token], bool]) -> Token:
    """The row as soon as it is no longer ``unchanged``, or when the asked-for time is over.

    Waits for machines only, holds no database connection meanwhile, and answers at once when this
    process has as many waiting as it can serve.
    """
    seconds = _seconds_to_wait(request)
    if not seconds or not unchanged(token) or token.state in WAITS_FOR_A_HUMAN:
        return token
    until = time.monotonic() + seconds
    person_id = requester.person(request).pk
    with wakeup.waiting(token.pk, person_id=person_id) as bell:
        while bell is not None:
            bell.clear()
            token = Token.objects.bare(token.pk)
            left = until - time.monotonic()
            if left <= 0 or not unchanged(token) or token.state in WAITS_FOR_A_HUMAN:
                break
            # Back to the pool; SQLite has none, and keeps its open file.
            connection.close_if_unusable_or_obsolete()
            with turns.aside():
                bell.wait(min(left, LOOK_AGAIN_SECONDS))
    return token


def _seconds_to_wait(request: HttpRequest) -> float:
    with contextlib.suppress(ValueError):
        return max(0.0, min(int(request.GET.get("wait", "0")), LONGEST_WAIT))
    return 0.0
