"""Calendars as RFC 5545 has them: the few lines that a list of ends takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

MOST_OCTETS = 75
"""Of one line, its end not counted (RFC 5545, section 3.1)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One moment; ``uid`` stays the same when the moment changes."""

    uid: str
    at: datetime
    changed_at: datetime
    summary: str
    description: str
    url: str


def calendar(name: str, entries: Iterable[Entry], *, made_at: datetime) -> bytes:
    """A whole calendar. Times are said in UTC: each reader's program shows its own zone."""
    told = [
        ("BEGIN", "VCALENDAR"),
        ("VERSION", "2.0"),
        ("PRODID", "-//Token portal//Ends//EN"),
        ("CALSCALE", "GREGORIAN"),
        ("METHOD", "PUBLISH"),
        ("X-WR-CALNAME", escaped(name)),
        ("REFRESH-INTERVAL;VALUE=DURATION", "PT1H"),
        *(line for entry in entries for line in _lines_of(entry, made_at)),
        ("END", "VCALENDAR"),
    ]
    return b"".join(folded(f"{key}:{value}") for key, value in told)


def _lines_of(entry: Entry, made_at: datetime) -> Iterator[tuple[str, str]]:
    yield "BEGIN", "VEVENT"
    yield "UID", escaped(entry.uid)
    yield "DTSTAMP", moment(made_at)
    yield "LAST-MODIFIED", moment(entry.changed_at)
    yield "DTSTART", moment(entry.at)
    yield "SUMMARY", escaped(entry.summary)
    yield "DESCRIPTION", escaped(entry.description)
    yield "URL", entry.url
    yield "TRANSP", "TRANSPARENT"
    yield "END", "VEVENT"


def moment(at: datetime) -> str:
    """A moment in UTC (form 2 of section 3.3.5)."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def escaped(text: str) -> str:
    """A text value (section 3.3.11); other control characters may not stand in one."""
    for character, said in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r\n", "\\n")):
        text = text.replace(character, said)
    text = text.replace("\n", "\\n")
    return "".join(one for one in text if one == "\t" or (one >= " " and one != "\x7f"))


def folded(line: str) -> bytes:
    """A line in UTF-8, folded between characters so that each part has MOST_OCTETS at most."""
    parts, room = [b""], MOST_OCTETS
    for character in line:
        octets = character.encode("utf-8", "replace")
        if len(parts[-1]) + len(octets) > room:
            parts.append(b"")
            room = MOST_OCTETS - 1  # a blank stands before what goes on
        parts[-1] += octets
    return b"\r\n ".join(parts) + b"\r\n"
