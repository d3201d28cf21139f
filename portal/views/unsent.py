"""What somebody has typed and sent, and whether the portal has taken it.

A browser keeps what is typed (static/js/drafts.js) until it learns that it was taken: a form
carries a number of the browser's own, ``draft``, and the next page names those that were taken, and
those that were turned away: somebody had to sign in first, say. Nothing is named after an error
that tells less, or when no answer came.
"""

import re
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import redirect, render, resolve_url

from portal.logs import mask
from portal.views.ways import way_back

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
FROM_ELSEWHERE = ("Origin checking failed", "Referer checking failed")
OTHER_SITES = ("cross-site", "same-site")
LABELS = {
    "login": "Email",
    "name": "Name",
    "person": "Person",
    "reason": "Reason",
    "seconds_to_live": "Lifetime in seconds",
    "overlap_seconds": "Overlap in seconds",
}
"""Fields that people type in, in the words of their forms."""
NEVER_SENT_BACK = re.compile(r"password|csrfmiddlewaretoken|public_key|fingerprint|draft")


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


def too_old(request: HttpRequest, reason: str) -> HttpResponse:
    """403 for a form whose token is none of today's, with what was typed in a fresh one.

    Not for one that another site has sent: a press would do what that site has thought out. Who has
    signed in by another tab meanwhile is let through where the old form wanted to lead.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if reason.startswith(FROM_ELSEWHERE) or site in OTHER_SITES:
        return render(request, "too_old.html", {"is_foreign": True}, status=403)
    is_sign_in = request.path == resolve_url(settings.LOGIN_URL)
    if is_sign_in and request.user.is_authenticated:
        wanted = request.POST.get("next", "")
        is_ours = get_adapter().is_safe_url(wanted)
        return redirect(wanted if is_ours else settings.LOGIN_REDIRECT_URL)
    return render(
        request, "too_old.html", {"is_sign_in": is_sign_in, **_sent_back(request)}, status=403
    )


def _sent_back(request: HttpRequest) -> dict[str, object]:
    """What was typed, to be sent by one press; or, if a key pair must be made, the form's page."""
    kept = [
        (name, mask(value))
        for name, values in request.POST.lists()
        if not NEVER_SENT_BACK.search(name)
        for value in values
    ]
    match = request.resolver_match
    page = way_back(request, match.func, match.kwargs) if match else request.path
    page = page.partition("?")[0]
    has_password = any("password" in name for name in request.POST)
    return {
        "kept": kept,
        "said": [(LABELS[name], value) for name, value in kept if name in LABELS and value],
        "page": f"{page}?{urlencode(kept)}" if kept and not has_password else page,
        "needs_page": "public_key" in request.POST or has_password,
    }
