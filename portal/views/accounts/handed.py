"""What was verified of an answer, kept for the browser that brought it until it comes with its
session: some seconds, under a name that a cookie of its own holds."""

from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from portal.identity import Identity
from portal.sessions import SessionStore

COOKIE = "saml-arrival"
SECONDS = 300
KEPT = "saml_arrival"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody whom the provider has proved; ``request`` is the portal's request that was answered,
    empty where there was none. ``signed_in_at`` is Unix time."""

    identity: Identity
    request: str
    signed_in_at: float
    way: str


def hand_over(arrival: Arrival, *, to: str) -> HttpResponse:
    """Send the browser to ``to``, where it takes the arrival."""
    store = SessionStore()
    said = asdict(arrival)
    groups = arrival.identity.groups
    said["identity"]["groups"] = None if groups is None else sorted(groups)
    store[KEPT] = said
    store.set_expiry(SECONDS)
    store.create()
    response = HttpResponseRedirect(to)
    response.set_cookie(
        COOKIE,
        str(store.session_key),
        max_age=SECONDS,
        path=to,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )
    return response


def take(request: HttpRequest) -> Arrival | None:
    """What was handed over to this browser; it is good once."""
    key = request.COOKIES.get(COOKIE)
    if not key:
        return None
    store = SessionStore(key)
    said: dict[str, Any] | None = store.get(KEPT)
    if said is None:
        return None
    store.delete()
    groups = said["identity"]["groups"]
    one = Identity(**said["identity"] | {"groups": None if groups is None else frozenset(groups)})
    return Arrival(**said | {"identity": one})


def forget(response: HttpResponse, *, at: str) -> None:
    response.delete_cookie(COOKIE, path=at, samesite="Lax")
