"""Cells of lists of tokens, that several pages have."""

from collections.abc import Iterable
from html import escape

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from portal import prints
from portal.lifetimes import in_words, written
from portal.models import State, Token
from portal.templatetags.pages import moment, typed

register = template.Library()


SHORTER = (1_800, 3_600, 8 * 3_600, 86_400, 7 * 86_400)
"""What an approver may shorten a lifetime to by one press."""


@register.filter
def shorter(seconds: int) -> list[tuple[int, str]]:
    """Usual lifetimes below this one, as seconds and as one writes them."""
    return [(one, written(one)) for one in SHORTER if one < seconds]


@register.filter("print")
def print_of(token: Token) -> str:
    """Three words that tell its key from others; empty where none was made here."""
    return prints.of(token.fingerprint)


@register.filter
def lives_at(token: Token) -> SafeString:
    """Where its key lies, in one line; ``TokenQuerySet.with_places`` asks for a whole list."""
    return _listed(one.text for one in token.places.all() if not one.is_due)


@register.filter
def to_replace_at(token: Token) -> SafeString:
    """Where the key of a token in its place has to get to: what this one has not reached, too."""
    return _listed(one.text for one in token.places.all())


@register.filter
def whereabouts(token: Token) -> SafeString:
    """Small, below a name in a list: the print of its key, and where that lies."""
    words, places = print_of(token), lives_at(token)
    due = _listed(one.text for one in token.places.all() if one.is_due)
    said = f'<small class="print" title="Print of its key">{words}</small>' if words else ""
    if places:
        said += f'<small class="lives-at">at {places}</small>'
    if due and token.is_open:
        said += f'<small class="lives-at">to be replaced at {due}</small>'
    return mark_safe(said)  # noqa: S308 (all is escaped)


def _listed(texts: Iterable[str]) -> SafeString:
    return mark_safe(", ".join(map(typed, texts)))  # noqa: S308 (all is escaped)


@register.filter
def ends(token: Token) -> SafeString:
    """When a token that is open ends, and what replaces it then; or when one has ended.

    A row of ``TokenQuerySet.with_successor`` in an overlap names its successor.
    """
    if not token.is_open and token.state != State.EXPIRED:
        return SafeString(moment(token.state_at))
    if token.ends_at is None:
        return SafeString(f'<span class="soft">{in_words(token.seconds_to_live)} once made</span>')
    shown = str(moment(token.ends_at))
    notice = " <small>with notice</small>" if token.is_under_notice else ""
    if not token.is_in_overlap:
        return mark_safe(f"<span>{shown}{notice}</span>") if notice else SafeString(shown)  # noqa: S308 (ours)
    return mark_safe(f"<span>{shown}{notice}{_successor(token)}</span>")  # noqa: S308 (all is escaped)


def _successor(token: Token) -> str:
    pk, name = getattr(token, "successor_id", None), getattr(token, "successor_name", "")
    if pk is None:
        return " <small>replaced</small>"
    address = escape(reverse("token", args=[pk]))
    return f' <small>replaced by <a href="{address}">{typed(name)}</a></small>'
