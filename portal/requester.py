"""Who asks, and what kind of answer a view gives."""

from collections.abc import Callable
from typing import TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from portal.audit import Actor
from portal.client_address import client_address
from portal.models import User

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def answers_json(view: View) -> View:
    """Mark a view whose callers are programs: the anonymous get 401, not the sign-in page."""
    view.answers_json = True  # type: ignore[attr-defined]  # read by portal.middleware
    return view


def wants_json(request: HttpRequest) -> bool:
    """Whether a program asks: of an address that answers JSON, or by what it accepts."""
    try:
        if getattr(resolve(request.path_info).func, "answers_json", False):
            return True
    except Resolver404:
        pass
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


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
    return client_address(request)


def user_agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")
