"""What somebody has typed and sent, and whether the portal has taken it.

A browser keeps what is typed (static/js/drafts.js) until it learns that it was taken: a form
carries a number of the browser's own, ``draft``, and the next page names those that were taken, and
those that were turned away: somebody had to sign in first, say. Nothing is named after an error
that tells less, or when no answer came.
"""

import re

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import resolve_url

NUMBER = re.compile(r"[0-9a-f]{32}")
NOTE = re.compile(r"[+-][0-9a-f]{32}")
COOKIE = "__Host-forms" if settings.HTTPS else "forms"
REMEMBERED = 4
"""Forms, of several tabs, that are answered before the first of their next pages is drawn."""
SECONDS = 3600
"""For which somebody may take to sign in."""
TAKEN, TURNED_AWAY = "+", "-"
NOTHING_HAPPENED = (403, 429, 503)
"""Statuses after which a form may be sent again as it is."""


def note_answer(request: HttpRequest, response: HttpResponse) -> None:
    """Let the next pages tell what has become of the form that this request has sent."""
    if request.method != "POST" or response.status_code not in (302, *NOTHING_HAPPENED):
        return
    number = number_of(request)
    if not number:
        return
    leads_to_sign_in = response.headers.get("Location", "").startswith(_doors())
    is_turned_away = response.status_code in NOTHING_HAPPENED or leads_to_sign_in
    others = [one for one in _noted(request) if one[1:] != number]
    noted = [f"{TURNED_AWAY if is_turned_away else TAKEN}{number}", *others]
    response.set_cookie(
        COOKIE,
        ".".join(noted[:REMEMBERED]),
        max_age=SECONDS,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def answered(request: HttpRequest, answer: str) -> str:
    """The numbers of the forms that were lately TAKEN or TURNED_AWAY, for the page's script."""
    return " ".join(one[1:] for one in _noted(request) if one[0] == answer)


def number_of(request: HttpRequest) -> str:
    """The number of the form that a request has sent; empty when it has none."""
    try:
        number = request.POST.get("draft", "")
    except (SuspiciousOperation, UnreadablePostError):
        return ""  # a body that is too long, or that broke off
    return number if NUMBER.fullmatch(number) else ""


def _noted(request: HttpRequest) -> list[str]:
    cookie = request.COOKIES.get(COOKIE, "")
    return [one for one in cookie.split(".") if NOTE.fullmatch(one)] if cookie else []


def _doors() -> tuple[str, ...]:
    return resolve_url(settings.LOGIN_URL), "/accounts/reauthenticate/"
