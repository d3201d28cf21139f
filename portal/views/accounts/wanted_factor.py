"""Who must have a second factor, and has none, adds one before anything else.

It is decided once, at the sign-in, and stands in the session: a page asks nothing more for it.
"""

from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.deprecation import MiddlewareMixin

from portal import factors, policy
from portal.models import User
from portal.templatetags.fixed_urls import fixed_url

KEY = "wanted_factor"
"""In a session: that a factor must be added first, and where the person wanted to go."""
FIRST = "/tokens/"


def note(request: HttpRequest, person: User) -> None:
    """Look, at a sign-in, whether this person must add a factor."""
    records = get_authentication_records(request, person)
    by_password = bool(records) and records[-1].get("method") == "password"
    if by_password and is_wanted(person):
        request.session[KEY] = FIRST


def is_wanted(person: User) -> bool:
    """Whether the person must have a factor, for what they may do or for their short password."""
    wanted = policy.needs_second_factor(person) or person.has_short_password
    return wanted and not factors.has_second_factor(person)


def is_added(request: HttpRequest, person: User) -> str:
    """Look again once it may have been added; where the person wanted to go, if they could not."""
    way = str(request.session.get(KEY, ""))
    if way and not is_wanted(person):
        del request.session[KEY]
    return way


class WantedFactorMiddleware(MiddlewareMixin):
    """Leads whoever must add a factor to the page where that is done."""

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase], *_: Any
    ) -> HttpResponseBase | None:
        if not getattr(view_func, "login_required", True) or not request.user.is_authenticated:
            return None
        if KEY not in request.session or _belongs_to_it(request):
            return None
        if getattr(view_func, "answers_json", False):
            return JsonResponse({"message": "Add a second factor first."}, status=401)
        if request.method in ("GET", "HEAD"):
            request.session[KEY] = request.get_full_path()
        return redirect("mfa_index")


def _belongs_to_it(request: HttpRequest) -> bool:
    name = request.resolver_match.url_name if request.resolver_match else None
    return (name or "").startswith("mfa_") or request.path in (
        fixed_url("account_logout"),
        fixed_url("account_reauthenticate"),
        fixed_url("account_change_password"),
        fixed_url("sessions"),
    )
