"""What stands before every view: who comes in, and what no cache may keep."""

from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from allauth.account.adapter import get_adapter
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from portal.audit import Actor
from portal.models import User

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def answers_json(view: View) -> View:
    """Mark a view whose callers are programs: the anonymous get 401, not the sign-in page."""
    view.answers_json = True  # type: ignore[attr-defined]  # read by SignInRequiredMiddleware
    return view


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Every view wants a sign-in unless it says otherwise (``login_not_required``)."""

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        structlog.contextvars.bind_contextvars(ip=address(request))
        if not getattr(view_func, "login_required", True):
            return None  # and ask no database: /readyz must tell when it is gone
        structlog.contextvars.bind_contextvars(user_id=request.user.pk)
        if getattr(view_func, "answers_json", False) and not request.user.is_authenticated:
            return JsonResponse({"message": "Sign in first."}, status=401)
        return super().process_view(request, view_func, view_args, view_kwargs)


class PersonalPagesMiddleware:
    """No answer may be kept by a cache, unless its view has said so itself.

    Static files are answered before this middleware, and are public.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store, private")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=()"
        )
        return response


def person(request: HttpRequest) -> User:
    """The signed-in person; the middleware has made sure that there is one."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def actor(request: HttpRequest) -> Actor:
    """The signed-in person with address and user agent, for the audit log."""
    return Actor(user=person(request), address=address(request), user_agent=user_agent(request))


def address(request: HttpRequest) -> str | None:
    """The client's address, as the trusted proxies in front report it."""
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return None


def user_agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")
