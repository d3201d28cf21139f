"""Requests of one process take turns.

Its threads share one interpreter lock. Twenty that work at once all finish late; one after another,
the first is done when the last begins (docs/decisions/0012). Who waits for another machine steps
aside meanwhile, and nobody waits long for a turn: a request that hangs must not hold up the others.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

from django.http import HttpRequest
from django.http.response import HttpResponseBase

AT_ONCE = 2
"""One works while another waits for the disk."""
LONGEST_WAIT = 0.25
"""Seconds."""


_places = threading.BoundedSemaphore(AT_ONCE)
_mine = threading.local()
"""``held`` is whether this thread holds a place; a thread that is in no turn has no such word."""


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Work in turn, or without one after LONGEST_WAIT."""
    _enter()
    try:
        yield
    finally:
        _leave()
        del _mine.held


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Let others work while this thread waits; then wait for a turn again, if it was in one."""
    if not hasattr(_mine, "held"):
        yield
        return
    _leave()
    try:
        yield
    finally:
        _enter()


def _enter() -> None:
    _mine.held = _places.acquire(timeout=LONGEST_WAIT)


def _leave() -> None:
    if _mine.held:
        _mine.held = False
        _places.release()


class TurnsMiddleware:
    """Every request works in turn. What a response streams afterwards does not."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with turn():
            return self.get_response(request)
