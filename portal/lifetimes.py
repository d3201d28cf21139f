"""How long, as people write it: ``30m``, ``1d 12h``, ``Fri 18:00``; and as it is said to them.

static/js/lifetime-text.js reads the same, to show what it has understood.
"""

import math
import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django.utils import timezone

from portal.moments import in_utc

UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_SHORT = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WORDS = (
    r"(w|weeks?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)"  # by its first letter
)
_SPAN = re.compile(rf"(?:[0-9]{{1,9}} ?{_WORDS},? ?)+", re.IGNORECASE)
_PART = re.compile(rf"([0-9]{{1,9}}) ?{_WORDS}", re.IGNORECASE)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = ("day", "sday", "nesday", "rsday", "day", "urday", "day")
_CLOCK = r"([01]?[0-9]|2[0-3])[:.]([0-5][0-9])"
_ON_DAY = re.compile(rf"(today|tomorrow|[a-z]{{3,9}}),? {_CLOCK}", re.IGNORECASE)
_ON_DATE = re.compile(rf"([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})(?:T|,? ){_CLOCK}", re.IGNORECASE)

HOW = "Write how long (30m, 8h, 1d 12h) or until when (Fri 18:00, 2026-12-24 18:00)."


class NoLifetimeError(ValueError):
    """What was written says no length of time; the message says why, for people."""


def read(text: str, place: tzinfo = UTC, *, now: datetime | None = None) -> int:
    """Seconds from now. A number alone is seconds; a day and a time are of the zone ``place``.

    Raises NoLifetimeError.
    """
    text = " ".join(text.split())
    if re.fullmatch(r"[0-9]{1,19}", text):
        return int(text)
    if _SPAN.fullmatch(text):
        return sum(int(number) * _SECONDS[unit[0].lower()] for number, unit in _PART.findall(text))
    now = now or timezone.now()
    try:
        until = _moment(text, place, now)
    except (ValueError, OverflowError):  # such as a thirtieth of February
        until = None
    if until is None:
        raise NoLifetimeError(HOW)
    seconds = math.ceil((until - now).total_seconds())
    if seconds < 1:
        raise NoLifetimeError("That is in the past.")
    return seconds


def is_until(text: str) -> bool:
    """Whether it says until when, so that it means less each second."""
    text = " ".join(text.split())
    return bool(_ON_DAY.fullmatch(text) or _ON_DATE.fullmatch(text))


def in_words(seconds: int) -> str:
    """Seconds as a person says them: ``7 days``, ``1 day 2 hours``; at most two units."""
    parts = []
    rest = int(seconds)
    for size, unit in UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 seconds"


def written(seconds: int) -> str:
    """Seconds as one writes them into a field: ``7d``, ``1h 30m``; nothing is left out."""
    parts = []
    rest = int(seconds)
    for size, unit in _SHORT:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


def _moment(text: str, place: tzinfo, now: datetime) -> datetime | None:
    if found := _ON_DATE.fullmatch(text):
        year, month, day, hour, minute = map(int, found.groups())
        return in_utc(datetime(year, month, day, hour, minute), place)  # noqa: DTZ001 (its zone's)
    found = _ON_DAY.fullmatch(text)
    if found is None:
        return None
    clock = time(int(found[2]), int(found[3]))
    today = now.astimezone(place).date()
    word = found[1].lower()
    if word in ("today", "tomorrow"):
        return _at(today + timedelta(days=word == "tomorrow"), clock, place)
    names = (short + rest for short, rest in zip(_DAYS, _NAMES, strict=True))
    wanted = next((n for n, name in enumerate(names) if name.startswith(word)), None)
    if wanted is None:
        return None
    on = today + timedelta(days=(wanted - today.weekday()) % 7)
    found_at = _at(on, clock, place)
    return found_at if found_at > now else _at(on + timedelta(days=7), clock, place)


def _at(day: date, clock: time, place: tzinfo) -> datetime:
    return in_utc(datetime.combine(day, clock), place)
