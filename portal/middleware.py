"""What stands before every view: who comes in, what no cache may keep, and what a view refused."""

from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponsePermanentRedirect,
    JsonResponse,
)
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.shortcuts import render
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin

from portal.client_address import client_address
from portal.drafts import note_answer
from portal.flows.reissue import AlreadyReplacedError
from portal.life import WrongStateError
from portal.limits import LimitExceededError
from portal.requester import wants_json
from portal.views import limiting
from portal.views.accounts.step_up import StepUpRequiredError, require_step_up
from portal.views.errors import not_allowed
from portal.views.tokens import explain
from portal.views.way_back import to_confirmation, to_sign_in, way_back

FOR_MONITORS = ("/healthz", "/readyz", "/metrics")
PAGES_ABOUT_PASSWORDS = (
    "/accounts/password/",
    "/accounts/2fa/webauthn/login/",  # without a password, in a password's place
    "/admin/password_change/",
)
JSON_TYPES = ("application/json", "application/scim+json")
UNUSED_FEATURES = (
    "bluetooth",
    "camera",
    "display-capture",
    "geolocation",
    "hid",
    "microphone",
    "payment",
    "serial",
    "usb",
)
"""Of the browser: a page that somebody has tampered with gets none of them either."""


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Every view wants a sign-in unless it says otherwise (``login_not_required``)."""

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],  # noqa: ARG002 (Django's signature)
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        structlog.contextvars.bind_contextvars(ip=client_address(request))
        if not getattr(view_func, "login_required", True):
            return None  # and ask no database: /readyz must tell when it is gone
        structlog.contextvars.bind_contextvars(user_id=request.user.pk)
        if request.user.is_authenticated:
            return None
        if getattr(view_func, "answers_json", False):
            return JsonResponse({"message": "Sign in first."}, status=401)
        return to_sign_in(request, way_back(request, view_func, view_kwargs))


class PasswordsMiddleware(MiddlewareMixin):
    """Where nobody signs in by password, there is no page about one (PORTAL_PASSWORD_SIGN_IN)."""

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponseBase | None:
        is_off = not settings.PASSWORD_SIGN_IN
        if is_off and request.path_info.startswith(PAGES_ABOUT_PASSWORDS):
            raise Http404
        return None


class PersonalPagesMiddleware:
    """No answer may be kept by a cache, unless its view has said so itself.

    Static files are answered before this middleware, and are public.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 405 and not response.content:
            response = not_allowed(request, response)
        note_answer(request, response)
        response.headers.setdefault("Cache-Control", "no-store, private")
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = ", ".join(f"{one}=()" for one in UNUSED_FEATURES)
        return response


class KnownHostMiddleware(CommonMiddleware):
    """Answers under the portal's own names, and monitors under any.

    A load balancer calls a machine by its address, which no setting knows beforehand.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path_info in FOR_MONITORS else super().process_request(request)


class ProgramsNeedHttpsMiddleware:
    """Refuses programs that come over http, where people are sent to https.

    A program would follow that unseen, and go on sending what everybody on the way can read.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if (
            settings.SECURE_SSL_REDIRECT
            and not request.is_secure()
            and request.path_info not in FOR_MONITORS
            and (wants_json(request) or request.content_type in JSON_TYPES or _has_token(request))
        ):
            message = f"Nothing is answered over http: ask {settings.PORTAL_ORIGIN}."
            return JsonResponse({"message": message}, status=403)
        return self.get_response(request)


def _has_token(request: HttpRequest) -> bool:
    return "Authorization" in request.headers


class ConflictMiddleware(MiddlewareMixin):
    """Says for every view who did what when, instead of doing what was asked for."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, WrongStateError):
            return None
        replaced = exception if isinstance(exception, AlreadyReplacedError) else None
        context = {
            "token": exception.token,
            "wanted": exception.done,
            "message": explain.message(exception.token),
            "replacement": replaced.replacement if replaced else None,
        }
        return render(request, "tokens/conflict.html", context, status=409)


class LimitsMiddleware(MiddlewareMixin):
    """Answers for every view that meets a limit."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, LimitExceededError):
            return limiting.answer(request, exception)
        return None


class StepUpMiddleware(MiddlewareMixin):
    """Sends whoever must prove again that it is they to the page for that; nothing has happened.

    Django's admin wants it on every page. Programs are told with 401.
    """

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is None or match.app_name != "admin" or not request.user.is_authenticated:
            return None
        if not request.user.is_staff:
            return None  # Django's admin turns them away itself
        try:
            require_step_up(request)
        except StepUpRequiredError as error:
            return self.process_exception(request, error)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        match = request.resolver_match
        if not isinstance(exception, StepUpRequiredError) or match is None:
            return None
        if wants_json(request):
            way = way_back(request, match.func, match.kwargs)
            address = reverse("account_reauthenticate", query={"next": way})
            message = "Prove again that it is you first: nothing has happened yet."
            return JsonResponse({"message": message, "reauthenticate": address}, status=401)
        return to_confirmation(request, way_back(request, match.func, match.kwargs))
