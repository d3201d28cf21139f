"""What a person does keeps their session; what a page asks by itself does not."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from portal import requester, sessions
from portal.models import User
from portal.sessions import SessionStore


def begin(request: HttpRequest, person: User) -> None:
    """The person has just signed in: their session's limits count from now."""
    session = _session(request)
    session.begin()
    sessions.note(
        str(session.session_key),
        person,
        address=requester.address(request),
        user_agent=requester.user_agent(request),
        began=True,
    )


class ActivityMiddleware(MiddlewareMixin):
    """Puts off the end of a session, at most once a minute, when its person does something."""

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase], *_: Any
    ) -> None:
        if not getattr(view_func, "login_required", True) or not request.user.is_authenticated:
            return
        if request.method == "GET" and getattr(view_func, "answers_json", False):
            return
        session = _session(request)
        if session.session_key and session.is_news():
            session.go_on()
            sessions.note(
                session.session_key,
                requester.person(request),
                address=requester.address(request),
                user_agent=requester.user_agent(request),
            )


def _session(request: HttpRequest) -> SessionStore:
    session = request.session
    if not isinstance(session, SessionStore):
        raise TypeError("sessions are portal.sessions'")
    return session
