"""``/scim/v2/``: the company's provider, who shows a token, and nobody else."""

import hashlib
import hmac
import json

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from pydantic import ValidationError
from scim2_models import (
    ForbiddenException,
    InvalidSyntaxException,
    PayloadTooLargeException,
    SCIMException,
    UnauthorizedException,
)
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse

from portal import tasks
from portal.audit import Actor
from portal.audit.recording import PROVISIONING
from portal.flows.sign_in import sign_in_failed
from portal.requester import address, user_agent
from portal.scim.service import SERVICE, Handler
from portal.scim.storage import Storage

ROOT = "/scim/v2"


@csrf_exempt
@login_not_required
def endpoint(request: HttpRequest, path: str = "") -> HttpResponse:
    """Answer one SCIM request. Without PORTAL_SCIM_TOKEN there is no such address."""
    if not settings.SCIM_TOKEN:
        raise Http404
    try:
        _admit(request)
        answer = _answer(request, path)
    except SCIMException as error:
        answer = SERVICE.error_response(error)
    return _sent(answer)


def _admit(request: HttpRequest) -> None:
    """Raises ForbiddenException for plain http, UnauthorizedException without the token."""
    if settings.HTTPS and not request.is_secure():
        # Not redirected: the token has been seen by whoever listens, and must not be sent again.
        raise ForbiddenException(detail="The portal is reached by https alone.")
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and _is_right(token.strip()):
        return
    if token:
        sign_in_failed("", address=address(request), user_agent=user_agent(request))
    raise UnauthorizedException(detail="Send the portal's SCIM token as a bearer token.")


def _is_right(token: str) -> bool:
    """In a time that tells nothing of either's length."""
    digests = (hashlib.sha256(one.encode()).digest() for one in (token, settings.SCIM_TOKEN))
    return hmac.compare_digest(*digests)


def _answer(request: HttpRequest, path: str) -> ScimResponse:
    try:
        body = request.body
    except RequestDataTooBig:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raise PayloadTooLargeException(detail=f"A request has at most {most:,} bytes.") from None
    asked = ScimRequest(
        method=request.method or "",
        base_url=f"{settings.PORTAL_ORIGIN}{ROOT}",
        path=f"/{path}",
        query={name: str(value) for name, value in request.GET.items()},
        headers=dict(request.headers),
        body=body,
    )
    storage = Storage(
        Actor(service=PROVISIONING, address=address(request), user_agent=user_agent(request))
    )
    try:
        return Handler(storage).handle(asked)
    except (RecursionError, ValidationError):
        raise InvalidSyntaxException(detail="The request can't be understood.") from None
    finally:
        tasks.follow_up(storage.effects)


def _sent(answer: ScimResponse) -> HttpResponse:
    content = "" if answer.body is None else json.dumps(answer.body, default=str)
    response = HttpResponse(content, status=answer.status)
    for name, value in answer.headers.items():
        response.headers[name] = value
    if answer.body is None:
        del response.headers["Content-Type"]
    return response
