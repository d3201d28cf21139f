"""How a person has pages shown: a theme of their choice, and the zone in which they read times.

Whatever draws a page asks here. Nothing of it asks the database: who is signed in is known or not,
and a page about a database that is away must still be drawn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from django.conf import settings
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from portal import moments

THEMES = ("light", "dark")
COOKIE = "__Host-theme" if settings.HTTPS else "theme"
"""The theme for pages that do not know who asks: sign-in, and those about an outage."""

_asking: ContextVar[HttpRequest | None] = ContextVar("asking", default=None)


class Chooser(Protocol):
    """A person, as far as this is concerned."""

    theme: str
    chosen_zone: str


@dataclass(frozen=True, slots=True)
class Display:
    """Empty is what the system has, or the browser."""

    theme: str = ""
    zone: str = ""

    @property
    def attributes(self) -> SafeString:
        """Of the page's root, for its styles and scripts."""
        said = (("theme", self.theme), ("time-zone", self.zone))
        return format_html_join("", ' data-{}="{}"', (one for one in said if one[1]))

    @property
    def color_scheme(self) -> str:
        """What a browser paints before any style has come."""
        return self.theme or "light dark"


def chosen_by(request: HttpRequest) -> Display:
    """What the person has chosen who is known to ask; of anybody else the cookie's theme."""
    person = known_person(request)
    if person is not None:
        return Display(person.theme, person.chosen_zone)
    theme = request.COOKIES.get(COOKIE, "")
    return Display(theme if theme in THEMES else "")


def known_person(request: HttpRequest) -> Chooser | None:
    """Who is signed in, where that was asked before (by Django's middleware, which keeps it)."""
    person = getattr(request, "_cached_user", None)
    return person if getattr(person, "is_authenticated", False) else None


def in_templates(request: HttpRequest) -> dict[str, Display]:
    """For ``context_processors``."""
    return {"display": chosen_by(request)}


@contextmanager
def asked_by(request: HttpRequest) -> Iterator[None]:
    """Times are written for whoever sends this request, as long as the block lasts."""
    token = _asking.set(request)
    try:
        yield
    finally:
        _asking.reset(token)


def minute(at: datetime) -> str:
    """``2026-11-28 21:44 Asia/Tokyo``; UTC where nobody has chosen a zone."""
    return _written(at, "%Y-%m-%d %H:%M")


def clock(at: datetime, *, seconds: bool = False) -> str:
    """``21:44 Asia/Tokyo``."""
    return _written(at, "%H:%M:%S" if seconds else "%H:%M")


def _written(at: datetime, form: str) -> str:
    place, name = _place()
    return f"{at.astimezone(place):{form}} {name}"


def _place() -> tuple[tzinfo, str]:
    request = _asking.get()
    person = known_person(request) if request is not None else None
    name = person.chosen_zone if person is not None else ""
    try:
        return (moments.zone(name), name) if name else (UTC, "UTC")
    except moments.UnknownZoneError:  # chosen on a machine that knows more of them
        return UTC, "UTC"
