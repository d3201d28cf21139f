"""Single sign-on by SAML: to the provider and back, and what the portal says of itself.

The provider's page posts its answer across sites, so the browser sends no session with it
(SameSite). The answer is verified there and then; what it says is kept for the browser, which comes
for it with its session (``finish``), where it is held against the request that began there.
"""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.socialaccount.internal import statekit
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from portal import limits, turns
from portal.flows.spend_assertion import spend_assertion
from portal.identity import SignInError, bound
from portal.identity.openid import Proof
from portal.identity.saml import asking
from portal.identity.saml.answer import Answer, verify
from portal.identity.saml.errors import error
from portal.identity.saml.metadata import IdentityProvider, Source, source
from portal.identity.saml.person import identity
from portal.limits.table import SINGLE_SIGN_ONS_FROM
from portal.requester import address, person
from portal.views.accounts import handed, step_up
from portal.views.accounts.arrival import come_in, note_saml, send_on, told

LONGEST_WAY = 2000
STATE = "saml"
"""Whose states these are among those that allauth keeps in a session."""


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@told
def start(request: HttpRequest) -> HttpResponse:
    """POST sends to the provider; ``next`` is where to go on afterwards."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if request.method != "POST":  # a tile of the provider's own portal leads here, too
        return redirect(reverse("account_login", query={"next": wanted} if wanted else None))
    if network := address(request):
        limits.take(SINGLE_SIGN_ONS_FROM, limits.network(network), address=network)
    return _to_provider(request, wanted)


@require_GET
@told
def confirm(request: HttpRequest) -> HttpResponse:
    """Have the provider ask the signed-in person again, and come back to ``next``."""
    person(request)
    return _to_provider(request, request.GET.get("next", ""), confirms=True)


def _to_provider(request: HttpRequest, way: str, *, confirms: bool = False) -> HttpResponse:
    found = _provider(_source())
    way = _safe(way)
    asked = asking.request(found, back=way or settings.LOGIN_REDIRECT_URL, afresh=confirms)
    state = {"next": way, "confirms": confirms}
    statekit.stash_state(request, provider_id=STATE, state=state, state_id=asked.id)
    return send_on(request, asked.url, to="single sign-on")


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@told
def receive(request: HttpRequest) -> HttpResponse:
    """The assertion consumer service: an answer arrives, and is good once."""
    if request.method != "POST":  # somebody's browser comes back to it
        return redirect("account_login")
    try:
        posted, relay_state = request.POST.get("SAMLResponse"), request.POST.get("RelayState", "")
    except (RequestDataTooBig, TooManyFieldsSent):
        raise error("too_large") from None
    if not posted:
        raise error("missing")
    # Anybody can have the portal read a document; the answers to real sign-ins are not counted.
    if network := address(request):
        limits.take(SINGLE_SIGN_ONS_FROM, limits.network(network), address=network)
    found, answer = _verified(posted)
    if network:
        limits.give_back(SINGLE_SIGN_ONS_FROM, limits.network(network))
    if not spend_assertion(found.entity_id, answer.assertion, until=answer.until):
        raise error("replayed")
    return handed.hand_over(
        handed.Arrival(
            identity=identity(found.entity_id, answer),
            request=answer.request,
            signed_in_at=answer.signed_in_at.timestamp(),
            way=_safe(relay_state),
        ),
        to=reverse("saml-finish"),
    )


@login_not_required
@require_http_methods(["GET"])
@told
def finish(request: HttpRequest) -> HttpResponse:
    """The browser comes with its session for what was verified a moment ago."""
    _source()
    arrival = handed.take(request)
    if arrival is None:
        raise error("request")
    response = _finished(request, arrival)
    handed.forget(response, at=request.path)
    return response


def _finished(request: HttpRequest, arrival: handed.Arrival) -> HttpResponse:
    if not arrival.request:
        return _began_there(request, arrival)
    state: dict[str, Any] | None = statekit.unstash_state(
        request, provider_id=STATE, state_id=arrival.request
    )
    if state is None:
        raise error("request")
    if state["confirms"]:
        proof = Proof(arrival.identity, arrival.signed_in_at, "", "", "")
        return step_up.confirm_by_provider(request, proof, way=state["next"])
    response = come_in(request, arrival.identity, next_url=state["next"] or arrival.way or None)
    note_saml(request)
    return response


def _began_there(request: HttpRequest, arrival: handed.Arrival) -> HttpResponse:
    """A sign-in that began at the provider signs nobody in: somebody else's page could have sent
    the browser here, with their own answer. One press of a button begins it here, and the provider
    knows the person already (docs/decisions/0036)."""
    if request.user.is_authenticated and bound(arrival.identity) == request.user:
        return redirect(arrival.way or settings.LOGIN_REDIRECT_URL)
    return render(request, "account/began_there.html", {"way": arrival.way})


@login_not_required
@require_GET
def metadata(request: HttpRequest) -> HttpResponse:
    """What the portal says of itself to a provider."""
    _source()
    return HttpResponse(asking.metadata(), content_type="application/samlmetadata+xml")


def _source() -> Source:
    if settings.SAML is None:
        raise Http404
    return source(settings.SAML.metadata)


def _provider(found: Source, *, anew: bool = False) -> IdentityProvider:
    with turns.aside():
        return found.provider(anew=anew)


def _verified(posted: str) -> tuple[IdentityProvider, Answer]:
    """Who has answered, and what. A key that is not known yet may stand in newer metadata."""
    kept = _source()
    found = _provider(kept)
    try:
        return found, verify(posted, found)
    except SignInError as wrong:
        if wrong.code != "signature":
            raise
        newer = _provider(kept, anew=True)
        if newer == found:
            raise
    return newer, verify(posted, newer)


def _safe(way: str) -> str:
    """The way back, if it stays in the portal."""
    is_ours = 0 < len(way) <= LONGEST_WAY and way.isprintable()
    return way if is_ours and get_adapter().is_safe_url(way) else ""
