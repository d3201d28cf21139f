"""Ways back: where the form of an action stands, and what a sign-in in between must not lose."""

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.drafts import number_of

LONGEST_NEXT = 1500
"""Characters of a way back, percent-encoded, that stand in the sign-in's address themselves.

Encoded once more they are at most 4,500 characters, below what servers and proxies take.
"""
LARGEST_COOKIE = 3800
"""Bytes: browsers keep 4,096 with the cookie's name and attributes."""
SIGN_IN_TAKES = 3600
"""Seconds for which a long way back is kept."""
COOKIE = "__Host-way" if settings.HTTPS else "way"

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def posted_from(page: str, *names: str, bare: bool = False) -> Callable[[View[P]], View[P]]:
    """Mark an action, which takes POST alone: its form stands on ``page`` of portal.urls.

    ``names`` are those parameters of the action that the page has too; without any, all of them, or
    none where it is ``bare``.
    Somebody who comes by GET (a reload, a bookmark, the way back from a sign-in) is sent there.
    """

    def mark(view: View[P]) -> View[P]:
        def place(parameters: dict[str, Any]) -> str:
            kept = {} if bare else {name: parameters[name] for name in names or parameters}
            return reverse(page, kwargs=kept)

        @wraps(view)
        def action(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.method == "POST":
                return view(request, *args, **kwargs)
            if request.method in ("GET", "HEAD"):
                return redirect(place(kwargs))
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

        action.place = place  # type: ignore[attr-defined]  # read by way_back
        return action

    return mark


def way_back(request: HttpRequest, view: Callable[..., Any], parameters: dict[str, Any]) -> str:
    """Where to go on after a sign-in: what was asked for, or the page where its form stands."""
    place = getattr(view, "place", None)
    return str(place(parameters)) if place else request.get_full_path()


def to_sign_in(request: HttpRequest, way: str, *, at: str = settings.LOGIN_URL) -> HttpResponse:
    """Send somebody to the sign-in (or to another page ``at``), and on from there to ``way``.

    A way that is too long for an address is kept in a cookie of this browser meanwhile.
    """
    if request.method == "POST":
        messages.warning(
            request,
            "You were signed out before you sent that, so nothing has happened yet. "
            "Sign in to go on where you were.",
        )
    return _with_way_back(request, way, resolve_url(at))


def to_confirmation(request: HttpRequest, way: str) -> HttpResponse:
    """Send somebody to the page where they prove again that it is they, and on to ``way``."""
    if request.method == "POST" and not number_of(request):
        messages.warning(request, "Nothing has happened yet: send it again, please.")
    return _with_way_back(request, way, reverse("account_reauthenticate"))


def _with_way_back(request: HttpRequest, way: str, address: str) -> HttpResponse:
    if len(way) <= LONGEST_NEXT:
        return redirect_to_login(way, address)
    path, _, query = way.partition("?")
    number = hashlib.sha256(way.encode()).hexdigest()[:16]
    kept = signing.TimestampSigner(salt=COOKIE).sign_object(
        [number, path, dict(QueryDict(query).lists())], serializer=_Utf8, compress=True
    )
    if len(kept) > LARGEST_COOKIE:
        messages.warning(
            request, "That link is too long to be kept while you sign in: open it again then."
        )
        return redirect_to_login(path, address)
    response = redirect_to_login(reverse("way-back", args=[number]), address)
    response.set_cookie(
        COOKIE,
        kept,
        max_age=SIGN_IN_TAKES,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )
    return response


@require_safe
def back(request: HttpRequest, number: str) -> HttpResponse:
    """On to the long address with which somebody came before they signed in."""
    signer = signing.TimestampSigner(salt=COOKIE)
    try:
        known, path, query = signer.unsign_object(
            request.COOKIES.get(COOKIE, ""), serializer=_Utf8, max_age=SIGN_IN_TAKES
        )
    except signing.BadSignature:
        known, path, query = "", "", {}
    if known != number:
        messages.warning(request, "The link that you came by is no longer known: open it again.")
        return redirect(settings.LOGIN_REDIRECT_URL)
    response = redirect(f"{path}?{urlencode(query, doseq=True)}")
    response.delete_cookie(COOKIE)
    return response


class _Utf8:
    """JSON in which a letter of any script is one letter: escapes would fill the cookie."""

    def dumps(self, thing: object) -> bytes:
        return json.dumps(thing, ensure_ascii=False, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)
