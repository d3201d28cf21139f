"""Moments as people write them, and the zones that they write them in.

A local time that a clock shows twice, or skips, is taken so that nothing falls out of a range: what
a range begins with is the earlier of two, what it ends with the later, and a time that is skipped
is the moment of the jump.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from datetime import timezone as DateTimezone  # noqa: N812 (Django's module has its name)
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
_AGO = re.compile(r"([0-9]{1,4})([hd])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}
_DAYS = {"today": timedelta(0), "yesterday": timedelta(days=1)}
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")

_OF_THE_MACHINE = frozenset({"Factory", "localtime", "posixrules"})
"""Files beside the zones that mean something else on each machine."""


class NoMomentError(ValueError):
    """What was written is no moment; the message says why, for people."""


class UnknownZoneError(ValueError):
    """What was named is no zone of the IANA database, as this machine has it."""


def zone(name: str) -> tzinfo:
    """A zone by its IANA name, such as ``Asia/Tokyo``; empty is UTC. Raises UnknownZoneError."""
    if not name:
        return UTC
    if not _ZONE.fullmatch(name) or name in _OF_THE_MACHINE:
        raise UnknownZoneError
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name is a folder's
        raise UnknownZoneError from None


def read(text: str, place: tzinfo = UTC, *, is_end: bool = False) -> datetime:
    """A date, a date with a time, or how long ago (``7d``, ``12h``), in UTC.

    Without an offset of its own it is in the zone ``place``. ``is_end`` says that a range ends
    with it: a date alone then includes its day; so do ``today`` and ``yesterday``. Raises
    NoMomentError.
    """
    if text.lower() in _DAYS:
        today = timezone.now().astimezone(place).date()
        text = (today - _DAYS[text.lower()]).isoformat()
    if ago := _AGO.fullmatch(text):
        return shifted(timezone.now(), -int(ago[1]) * _UNITS[ago[2]])
    try:
        if day := parse_date(text):
            if is_end and day == day.max:
                return LAST
            begin = datetime.combine(day, time()) + timedelta(days=1 if is_end else 0)
            return in_utc(begin, place, is_end=is_end)
        # A “+” that nobody has escaped arrives as a space.
        found = parse_datetime(re.sub(r" (?=\d\d:?\d\d$)", "+", text))
        if found is not None:
            return found.astimezone(UTC) if found.tzinfo else in_utc(found, place, is_end=is_end)
    except ValueError:
        pass  # such as a thirtieth of February
    except OverflowError:
        raise NoMomentError(
            "In UTC this lies before the year 1 or after 9999: write a year between."
        ) from None
    raise NoMomentError(
        "Write a date (2026-11-23), a date and a time (2026-11-23T14:30), or how long ago "
        "(12h, 7d, yesterday)."
    )


def in_utc(local: datetime, place: tzinfo, *, is_end: bool = False) -> datetime:
    """The moment at which clocks of a zone show a time. Raises OverflowError."""
    first, second = (local.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return second if is_end else first
    return change(place, second, first)


def change(place: tzinfo, before: datetime, after: datetime) -> datetime:
    """When a zone's offset changes between two moments between which it does so once."""
    offset = offset_of(before, place)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if offset_of(middle, place) == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def stretches(
    place: tzinfo, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The parts of a range within which a zone keeps its offset from UTC, which is their third."""
    begin, day = since, since
    while day < until:
        day, before = min(day + timedelta(days=1), until), day
        if offset_of(before, place) != offset_of(day, place):
            jump = change(place, before, day)
            yield begin, jump, offset_of(before, place)
            begin = jump
    yield begin, until, offset_of(begin, place)


def offset_of(moment: datetime, place: tzinfo) -> timedelta:
    return moment.astimezone(place).utcoffset() or timedelta()


def fixed(offset: timedelta) -> tzinfo:
    """The zone that always has this offset, to the minute: databases know no finer ones."""
    minutes = offset // timedelta(minutes=1)
    return DateTimezone(timedelta(minutes=minutes)) if minutes else UTC


def shifted(moment: datetime, by: timedelta) -> datetime:
    """A moment in UTC and some time, within what a calendar can say."""
    try:
        return moment + by
    except OverflowError:
        return LAST if by > timedelta() else FIRST
