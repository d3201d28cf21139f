"""How long, as people write it."""

from datetime import UTC, datetime

import pytest

from portal import lifetimes, moments

FRIDAY = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
BERLIN = moments.zone("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3600", 3600),
        ("45s", 45),
        ("30m", 1800),
        ("30 min", 1800),
        ("8h", 28_800),
        ("8 Hours", 28_800),
        ("2d", 172_800),
        ("1w", 604_800),
        ("1d 12h", 129_600),
        ("1d12h", 129_600),
        ("1 day, 2 hours", 93_600),
        (" 1h  30m ", 5400),
        ("Fri 18:00", 1800),  # 17:30 in Berlin
        ("friday 18:00", 1800),
        ("Fri 17:00", 7 * 86_400 - 1800),
        ("Sat 17:30", 86_400),
        ("today 18:00", 1800),
        ("tomorrow 17:30", 86_400),
        ("2026-11-28 17:30", 86_400),
        ("2026-11-28T17:30", 86_400),
    ],
)
def test_what_people_write_is_read(text: str, seconds: int) -> None:
    assert lifetimes.read(text, BERLIN, now=FRIDAY) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "1e3", "+5", "-5", "1.5h", "٣", "3 x", "h", "1d2", "Fri", "Fry 18:00"),
        *("Fri 24:00", "2026-02-30 12:00", "9999999999999h x", "2026-11-27", "day 18:00"),
    ],
)
def test_what_is_no_time_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(lifetimes.NoLifetimeError, match="Write how long"):
        lifetimes.read(text, BERLIN, now=FRIDAY)


def test_what_is_past_is_said_to_be() -> None:
    for text in ("2026-11-27 17:30", "today 00:00"):
        with pytest.raises(lifetimes.NoLifetimeError, match="past"):
            lifetimes.read(text, BERLIN, now=FRIDAY)


def test_a_day_and_a_time_are_of_the_readers_zone() -> None:
    assert lifetimes.read("Fri 18:00", now=FRIDAY) == 5400
    tokyo = moments.zone("Asia/Tokyo")  # it is Saturday there
    assert lifetimes.read("Sat 02:30", tokyo, now=FRIDAY) == 3600


@pytest.mark.parametrize(
    ("seconds", "text"), [(604_800, "7d"), (5400, "1h 30m"), (90_061, "1d 1h 1m 1s"), (0, "0s")]
)
def test_what_is_written_is_read_as_the_same(seconds: int, text: str) -> None:
    assert lifetimes.written(seconds) == text
    assert lifetimes.read(text) == seconds


def test_only_what_says_until_when_means_less_each_second() -> None:
    assert lifetimes.is_until("Fri 18:00")
    assert lifetimes.is_until("2026-11-28 17:30")
    assert not lifetimes.is_until("1d 12h")
    assert not lifetimes.is_until("3600")
