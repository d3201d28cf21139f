"""A calendar as RFC 5545 has it, read back by rules of its own."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from portal.calendars import MOST_OCTETS, Entry, calendar, escaped, folded, moment

AT = datetime(2026, 11, 30, 9, 30, 5, 999, UTC)


def unfolded(content: bytes) -> list[str]:
    """Section 3.1: a line end and one blank are nothing."""
    assert content.endswith(b"\r\n")
    return content.decode().replace("\r\n ", "").removesuffix("\r\n").split("\r\n")


def unescaped(text: str) -> str:
    """Section 3.3.11."""
    read = iter(text)
    return "".join(
        {"n": "\n"}.get(after := next(read), after) if one == "\\" else one for one in read
    )


def entry(**changed: str) -> Entry:
    texts = {"uid": "1@x", "summary": "s", "description": "d", "url": "https://x/"} | changed
    return Entry(at=AT, changed_at=AT, **texts)


def test_every_line_has_75_octets_at_most_and_breaks_within_no_character() -> None:
    content = calendar("é" * 60, [entry(summary="🗓️ end, of; a\\b " * 20)], made_at=AT)
    for line in content.split(b"\r\n"):
        assert len(line) <= MOST_OCTETS
        line.decode()
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert f"X-WR-CALNAME:{'é' * 60}" in unfolded(content)


def test_an_entry_says_when_in_utc() -> None:
    [begin] = [one for one in unfolded(calendar("x", [entry()], made_at=AT)) if "DTSTART" in one]
    assert begin == "DTSTART:20261130T093005Z"
    there = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert moment(there) == "20261130T093005Z"


def test_it_has_what_the_standard_wants_and_no_line_of_somebody_elses() -> None:
    sly = "x\r\nEND:VEVENT\nATTACH:http://evil.example/\r\x00\x1b"
    lines = unfolded(calendar("x", [entry(summary=sly, description=sly, uid=sly)], made_at=AT))
    names = [line.partition(":")[0].partition(";")[0] for line in lines]
    assert (lines[0], lines[-1]) == ("BEGIN:VCALENDAR", "END:VCALENDAR")
    for name in ("VERSION", "PRODID", "UID", "DTSTAMP", "DTSTART"):
        assert names.count(name) == 1
    assert "ATTACH" not in names
    assert names.count("END") == 2


@given(st.text())
def test_what_is_escaped_and_folded_is_read_as_it_was(text: str) -> None:
    read = unfolded(folded(f"SUMMARY:{escaped(text)}"))
    assert len(read) == 1
    kept = "".join(
        one for one in text.replace("\r\n", "\n") if one in "\t\n" or (one >= " " and one != "\x7f")
    )
    assert unescaped(read[0].removeprefix("SUMMARY:")) == kept.encode("utf-8", "replace").decode()
