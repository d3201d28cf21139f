"""What stands before every view: who comes in, and what no cache may keep."""

from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponsePermanentRedirect,
    JsonResponse,
)
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import get_token
from django.utils.functional import SimpleLazyObject

from portal.audit import Actor
from portal.models import User
from portal.views.errors import not_allowed
from portal.views.unsent import note_answer
from portal.views.ways import to_sign_in, way_back

FOR_MONITORS = ("/healthz", "/readyz", "/metrics")
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
        view_args: tuple[Any, ...],  # noqa: ARG002 (Django's signature)
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        structlog.contextvars.bind_contextvars(ip=address(request))
        if not getattr(view_func, "login_required", True):
            return None  # and ask no database: /readyz must tell when it is gone
        structlog.contextvars.bind_contextvars(user_id=request.user.pk)
        if request.user.is_authenticated:
            return None
        if getattr(view_func, "answers_json", False):
            return JsonResponse({"message": "Sign in first."}, status=401)
        return to_sign_in(request, way_back(request, view_func, view_kwargs))


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


class NoFiles(FileUploadHandler):
    """No form of the portal takes files, so that nobody fills the disk with some."""

    def handle_raw_input(
        self,
        input_data: Any,  # noqa: ARG002 (Django's signature)
        META: dict[str, str],  # noqa: ARG002, N803 (Django's)
        content_length: int,
        boundary: str,  # noqa: ARG002 (Django's)
        encoding: str | None = None,  # noqa: ARG002 (Django's)
    ) -> None:
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig

    def new_file(self, *_: Any, **__: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002 (Django's)
        return raw_data

    def file_complete(self, file_size: int) -> None:  # noqa: ARG002 (Django's)
        return None


def csrf_token(request: HttpRequest) -> dict[str, object]:
    """The token of a page's forms, for templates: masked anew for each page, not for each form."""
    return {"csrf_token": SimpleLazyObject(lambda: get_token(request))}


class _MessageCookie(CookieStorage):
    """Bound to the host and to TLS like the others, when there is TLS."""

    cookie_name = "__Host-messages" if settings.HTTPS else "messages"


class MessageStorage(FallbackStorage):
    """What is said once on the next page: in a cookie, or in the session if that is too long."""

    storage_classes = (_MessageCookie, SessionStorage)


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
