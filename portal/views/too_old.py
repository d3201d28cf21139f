"""A form whose token is none of today's comes back with what was typed."""

import re
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url

from portal.logs import mask
from portal.views.way_back import way_back

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
