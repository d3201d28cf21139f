"""Single sign-on by OpenID Connect: to the provider and back, and sign-outs that it tells of."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.socialaccount.internal import statekit
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from portal import limits, turns
from portal.audit import Actor
from portal.flows.end_provider_sessions import end_provider_sessions, keep_provider_session
from portal.identity import SignInError, bound, openid, sign_out
from portal.identity.openid import Attempt, Proof
from portal.limits.table import SINGLE_SIGN_ONS_FROM
from portal.openid_settings import CALLBACK, OpenID
from portal.requester import address, answers_json, user_agent
from portal.views.accounts import provider_session, step_up
from portal.views.accounts.arrival import come_in, send_on, told

STATE = "sso"
"""Whose states these are among those that allauth keeps in a session."""


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@told
def start(request: HttpRequest) -> HttpResponse:
    """POST sends to the provider; ``next`` is where to go on afterwards."""
    provider = _provider()
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if request.method != "POST":  # a reload, or the way back in a browser's history
        return redirect(reverse("account_login", query={"next": wanted} if wanted else None))
    if network := address(request):
        limits.take(SINGLE_SIGN_ONS_FROM, limits.network(network), address=network)
    return to_provider(request, provider, wanted)


def to_provider(
    request: HttpRequest, provider: OpenID, way: str, *, confirms: bool = False
) -> HttpResponse:
    """On to the provider and back to ``way``; with ``confirms``, to prove again that it is they.

    Raises SignInError where the provider is away.
    """
    attempt, parameters = openid.begin()
    if confirms:
        parameters |= {"prompt": "login", "max_age": str(settings.STEP_UP_SECONDS)}
    with _waiting():
        found = openid.configuration(provider)
    state = {
        "nonce": attempt.nonce,
        "code_verifier": attempt.code_verifier,
        "next": way if get_adapter().is_safe_url(way) else "",
        "confirms": confirms,
    }
    parameters["state"] = statekit.stash_state(request, provider_id=STATE, state=state)
    url = openid.address_to_sign_in(provider, found, callback=_callback_url(), **parameters)
    return send_on(request, url, to=provider.name)


@login_not_required
@require_http_methods(["GET"])
@told
def callback(request: HttpRequest) -> HttpResponse:
    """The provider sends the browser back with an answer, which is good once."""
    provider = _provider()
    state = _state(request)
    attempt = Attempt(state["nonce"], state["code_verifier"])
    answer = {name: str(value) for name, value in request.GET.items()}
    with _waiting():
        proof = openid.prove(provider, answer, attempt, callback=_callback_url())
    if state["confirms"]:
        return step_up.confirm_by_provider(request, proof, way=state["next"])
    response = come_in(request, proof.identity, next_url=state["next"] or None)
    _keep(request, proof)
    return response


@csrf_exempt
@login_not_required
@answers_json
@require_POST
def back_channel_sign_out(request: HttpRequest) -> JsonResponse:
    """The provider says that somebody's session has ended there (OpenID Connect Back-Channel Logout
    1.0): 200 once it has ended here, 400 for what is no such message."""
    provider = _provider()
    try:
        with _waiting():
            ended = sign_out.verified(provider, request.POST.get("logout_token", ""))
    except SignInError as error:
        status = 400 if error.status < 500 else error.status
        said = {"error": "invalid_request", "error_description": error.code}
        return JsonResponse(said, status=status)
    actor = Actor(address=address(request), user_agent=user_agent(request))
    end_provider_sessions(ended.provider, subject=ended.subject, sid=ended.session_id, actor=actor)
    return JsonResponse({})


@contextmanager
def _waiting() -> Iterator[None]:
    """The provider is asked inside: meanwhile others work, and none of the pool's connections is
    held."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    with turns.aside():
        yield


def _keep(request: HttpRequest, proof: Proof) -> None:
    """What a sign-out wants, of whichever side."""
    there = {
        "provider": proof.identity.provider,
        "subject": proof.identity.subject,
        "sid": proof.session_id,
        "id_token": proof.id_token,
        "end_session_url": proof.end_session_url,
    }
    if request.user.is_authenticated and request.session.session_key:
        keep_provider_session(request.session.session_key, person=request.user.pk, **there)
    elif person := bound(proof.identity):  # allauth asks for a second factor yet
        provider_session.put_by(request, person, there)


def _provider() -> OpenID:
    provider: OpenID | None = settings.OPENID
    if provider is None:
        raise Http404
    return provider


def _callback_url() -> str:
    return f"{settings.PORTAL_ORIGIN}{CALLBACK}"


def _state(request: HttpRequest) -> dict[str, Any]:
    """What this session kept for this answer. Raises SignInError where it kept nothing."""
    state: dict[str, Any] | None = statekit.unstash_state(
        request, provider_id=STATE, state_id=request.GET.get("state", "")
    )
    if state is None:
        raise SignInError(
            "state",
            "This answer of your company's sign-in belongs to no sign-in that this browser has "
            "begun within ten minutes, or it was used already. Begin again at the sign-in.",
            status=403,
        )
    return state
