"""Browsers that have signed a person in before: a stranger's wrong passwords don't slow them.

A signed cookie names up to five people, the last first, and outlasts every session: that is what it
is for. Whoever has it may only try passwords of these people beside the strangers' limit.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from portal.models import User

COOKIE = "__Host-known-browser" if settings.HTTPS else "known-browser"
SALT = "portal.known-browser"
SECONDS = 365 * 86_400
"""From the last sign-in; browsers keep no cookie longer than 400 days (RFC 6265bis)."""
MOST_PEOPLE = 5


@dataclass(frozen=True, slots=True)
class Browser:
    """What its cookie says: a random name of its own, and who has signed in there."""

    name: str
    people: tuple[int, ...] = ()


def known_browser(request: HttpRequest) -> Browser:
    """The browser as its cookie tells it; one without, or with a forged one, knows nobody."""
    try:
        said = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=SECONDS)
        return Browser(str(said["name"]), tuple(int(person) for person in said["people"]))
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return Browser("")


def remember(request: HttpRequest, person: User) -> None:
    """Have the answer to this request say that this browser has signed the person in."""
    request.signed_in_person = person.pk  # type: ignore[attr-defined]  # for the middleware below


class KnownBrowserMiddleware:
    """Sets the cookie once somebody has signed in, whichever door it was."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        person: int | None = getattr(request, "signed_in_person", None)
        if person is not None:
            before = known_browser(request)
            others = [one for one in before.people if one != person]
            said = {
                "name": before.name or secrets.token_urlsafe(12),
                "people": [person, *others][:MOST_PEOPLE],
            }
            response.set_cookie(
                COOKIE,
                signing.dumps(said, salt=SALT),
                max_age=SECONDS,
                secure=settings.HTTPS,
                httponly=True,
                samesite="Lax",
            )
        return response
