"""While the database can't be used every address says so, and what was typed is kept.

Nothing here asks the database, the session or who is signed in.
"""

import errno
import logging
import sys
from collections.abc import Iterator
from typing import Any

import structlog
from django.core.exceptions import SuspiciousOperation
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_structlog import middlewares as django_structlog

from portal import outage, requester
from portal.observing import seen
from portal.views import refusals

RETRY_AFTER = 5
"""Seconds. A restart takes no longer, and a failover not much."""
NEVER_SHOWN = ("password", "secret", "code", "fingerprint", "credential", "private")
"""A form with a field whose name holds one of these is not repeated: pages are kept in places where
such a thing must not be."""
NEVER_SENT_AGAIN = ("/accounts/", "/admin/")
"""Their forms have tokens, steps and passwords of their own."""
MOST_KEPT = 100_000
"""Characters of a form."""

AWAY = "The portal can't reach its database at the moment. Nothing is lost: your tokens, keys and \
requests are as they were."
NOT_SAVED = (
    "The portal can read its database at the moment, but not save anything. Nothing is lost: \
your tokens, keys and requests are as they were."
)


class RequestMiddleware(django_structlog.RequestMiddleware):
    """One event a request in the log; an outage has its own, which is not repeated for each."""

    def __call__(self, request: HttpRequest) -> Any:
        response: Any = super().__call__(request)
        # A connection is held only by a request that was given one, and it has worked.
        if outage.is_on() and connection.connection is not None:
            outage.over(has_written=request.method == "POST" and response.status_code < 400)
        return response

    def process_got_request_exception(
        self, sender: type[Any], request: HttpRequest, **kwargs: Any
    ) -> None:
        if not outage.is_outage(sys.exception()):
            super().process_got_request_exception(sender, request, **kwargs)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        refusals.note(request, exception)

    def handle_response(self, request: HttpRequest, response: Any) -> None:
        if kind := refusals.kind_of(request, response):
            seen.refusal(kind)
            structlog.contextvars.bind_contextvars(refused=kind)
        if not response.streaming:
            super().handle_response(request, response)
            return
        content = _Content(response)
        response.streaming_content = content.until_an_outage()
        super().handle_response(request, response)
        response.streaming_content = content.cut_where_it_broke(iter(response))

    def _log_level_for_status_code(self, status_code: int) -> int:
        level: int = super()._log_level_for_status_code(status_code)
        return logging.INFO if status_code == 503 else level


class _Content:
    """A stream that ends where the database does, and whose connection is cut then: a file that
    ended like any other would be taken for all there is."""

    def __init__(self, response: StreamingHttpResponse) -> None:
        self._parts = iter(response)
        self._is_broken = False

    def until_an_outage(self) -> Iterator[bytes]:
        try:
            yield from self._parts
        except Exception as error:
            if not outage.is_outage(error):
                raise
            outage.note(error)
            self._is_broken = True

    def cut_where_it_broke(self, logged: Iterator[bytes]) -> Iterator[bytes]:
        yield from logged
        if self._is_broken:
            # gunicorn hangs up without a word in its log, as when the client has.
            raise ConnectionResetError(errno.ECONNRESET, "the database is away")


def unavailable(request: HttpRequest, error: BaseException) -> HttpResponse:
    """503 for somebody whose request has met this error of the database."""
    outage.note(error)
    message = NOT_SAVED if outage.takes_no_writes(error) else AWAY
    if requester.wants_json(request):
        response: HttpResponse = JsonResponse(
            {"message": f"{message} Try again in a few seconds."}, status=503
        )
    else:
        is_action = request.method == "POST"
        response = render(
            request,
            "unavailable.html",
            {
                "message": message,
                "is_action": is_action,
                "fields": _to_send_again(request) if is_action else None,
                "address": _page_of_the_form(request) if is_action else request.get_full_path(),
            },
            status=503,
        )
    response.headers["Retry-After"] = str(RETRY_AFTER)
    # So that Django's own logger is silent: the incident has its line.
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django's private mark
    return response


def _page_of_the_form(request: HttpRequest) -> str:
    came_from = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(came_from, {request.get_host()})
    return came_from if is_ours else reverse("tokens")


def _to_send_again(request: HttpRequest) -> list[tuple[str, str]] | None:
    """The fields of a form that one of our own pages has sent; None if not all may be shown."""
    if request.path_info.startswith(NEVER_SENT_AGAIN):
        return None
    try:
        fields = [(name, value) for name, values in request.POST.lists() for value in values]
    except (SuspiciousOperation, MultiPartParserError, UnreadablePostError):
        return None
    kept = [(name, value) for name, value in fields if name != "csrfmiddlewaretoken"]
    is_secret = any(word in name.lower() for name, _ in kept for word in NEVER_SHOWN)
    is_long = sum(len(name) + len(value) for name, value in kept) > MOST_KEPT
    return None if is_secret or is_long or not _is_from_us(request) else kept


def _is_from_us(request: HttpRequest) -> bool:
    """Django's own check. Without it a stranger's page could put a form of its choice before them,
    with our button under it."""
    check = CsrfViewMiddleware(lambda _: HttpResponse())
    check.process_request(request)
    return check.process_view(request, lambda _: HttpResponse(), (), {}) is None
