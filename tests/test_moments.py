"""Times as people write them, in their zone, at the edges of the calendar and of summer time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from portal import moments
from portal.moments import FIRST, LAST, NoMomentError, UnknownZoneError, read, shifted, stretches

TOKYO = ZoneInfo("Asia/Tokyo")
BERLIN = ZoneInfo("Europe/Berlin")
APIA = ZoneInfo("Pacific/Apia")
CAIRO = ZoneInfo("Africa/Cairo")

DAY = timedelta(days=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # year, month, day and so on


@pytest.mark.parametrize(
    ("text", "place", "since", "until"),
    [
        ("2026-11-23", UTC, utc(2026, 11, 23), utc(2026, 11, 24)),
        ("2026-11-23", TOKYO, utc(2026, 11, 22, 15), utc(2026, 11, 23, 15)),
        ("2026-11-23T14:30", TOKYO, utc(2026, 11, 23, 5, 30), utc(2026, 11, 23, 5, 30)),
        ("2026-11-23 14:30", BERLIN, utc(2026, 11, 23, 13, 30), utc(2026, 11, 23, 13, 30)),
        ("2026-11-23T14:30Z", TOKYO, utc(2026, 11, 23, 14, 30), utc(2026, 11, 23, 14, 30)),
        ("2026-11-23T14:30+02:00", TOKYO, utc(2026, 11, 23, 12, 30), utc(2026, 11, 23, 12, 30)),
        ("2026-11-23T14:30 02:00", TOKYO, utc(2026, 11, 23, 12, 30), utc(2026, 11, 23, 12, 30)),
        # The day on which clocks go back has 25 hours, the one on which they go forward 23.
        ("2026-10-25", BERLIN, utc(2026, 10, 24, 22), utc(2026, 10, 25, 23)),
        ("2026-03-29", BERLIN, utc(2026, 3, 28, 23), utc(2026, 3, 29, 22)),
        # Shown twice: a range begins with the first and ends with the second.
        ("2026-10-25T02:30", BERLIN, utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30)),
        # Never shown: the moment of the jump.
        ("2026-03-29T02:30", BERLIN, utc(2026, 3, 29, 1), utc(2026, 3, 29, 1)),
        ("2024-04-26T00:30", CAIRO, utc(2024, 4, 25, 22), utc(2024, 4, 25, 22)),
        # Samoa had no 30th of December in 2011.
        ("2011-12-29", APIA, utc(2011, 12, 29, 10), utc(2011, 12, 30, 10)),
        ("2011-12-30T12:00", APIA, utc(2011, 12, 30, 10), utc(2011, 12, 30, 10)),
        ("9999-12-31", UTC, utc(9999, 12, 31), LAST),
        ("9999-12-31", BERLIN, utc(9999, 12, 30, 23), LAST),
        ("0001-01-01", UTC, FIRST, utc(1, 1, 2)),
    ],
)
def test_a_time_is_read_in_its_zone(
    text: str, place: ZoneInfo, since: datetime, until: datetime
) -> None:
    assert read(text, place) == since
    assert read(text, place, is_end=True) == until


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("0001-01-01", TOKYO),
        ("0001-01-01T00:00:00+14:00", UTC),
        ("9999-12-31T23:59:59-12:00", UTC),
        ("9999-12-31T23:59", ZoneInfo("America/New_York")),
    ],
)
def test_a_time_that_is_none_in_utc_is_a_mistake(text: str, place: ZoneInfo) -> None:
    with pytest.raises(NoMomentError, match="before the year 1 or after 9999"):
        read(text, place)


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-02-30", "2026-13-01", "0000-01-01", "10000-01-01", "99999d", "-7d"]
)
def test_what_is_no_time_is_a_mistake(text: str) -> None:
    with pytest.raises(NoMomentError, match="Write a date"):
        read(text)


def test_how_long_ago_needs_no_zone() -> None:
    for text, ago in (("12h", timedelta(hours=12)), ("7d", 7 * DAY), ("9999d", 9999 * DAY)):
        found = read(text, TOKYO)
        assert timedelta() <= timezone.now() - ago - found < timedelta(minutes=1)


@given(
    st.datetimes(datetime.fromisoformat("1971-01-01"), datetime.fromisoformat("2036-01-01")),
    st.sampled_from(["Asia/Tokyo", "Europe/Berlin", "Africa/Casablanca", "Australia/Lord_Howe"]),
)
def test_a_range_of_local_times_loses_no_moment_that_clocks_show_in_it(
    local: datetime, name: str
) -> None:
    place = ZoneInfo(name)
    since, until = (moments.in_utc(local, place, is_end=is_end) for is_end in (False, True))
    for fold in (0, 1):
        moment = local.replace(tzinfo=place, fold=fold).astimezone(UTC)
        if moment.astimezone(place).replace(tzinfo=None) == local:
            assert since <= moment <= until
        else:
            assert since == until, "a time that is skipped is one moment"


@pytest.mark.parametrize(
    "name",
    ["Mars/Olympus", "../../etc/passwd", "/etc/localtime", "localtime", "Europe", "x" * 1000],
)
def test_an_unknown_zone_is_named_so(name: str) -> None:
    with pytest.raises(UnknownZoneError):
        moments.zone(name)


def test_every_zone_of_the_database_is_known() -> None:
    """With the names of before that browsers still send, whatever the machine has installed."""
    for name in {*available_timezones(), "Asia/Calcutta", "Europe/Kiev", "UTC"} - {"localtime"}:
        if name != "Factory":
            assert str(moments.zone(name)) == name
    assert moments.zone("") is UTC


def test_a_moment_is_shifted_within_the_calendar() -> None:
    assert shifted(FIRST, -DAY) == FIRST
    assert shifted(LAST, DAY) == LAST
    assert shifted(utc(2026, 1, 1), DAY) == utc(2026, 1, 2)


def test_a_range_is_cut_where_a_zone_changes_its_offset() -> None:
    hour = timedelta(hours=1)
    since, until = utc(2026, 1, 1), utc(2026, 12, 31)
    spring, autumn = utc(2026, 3, 29, 1), utc(2026, 10, 25, 1)
    assert list(stretches(BERLIN, since, until)) == [
        (since, spring, hour),
        (spring, autumn, 2 * hour),
        (autumn, until, hour),
    ]
    assert list(stretches(TOKYO, since, until)) == [(since, until, 9 * hour)]
    assert list(stretches(UTC, since, since)) == [(since, since, timedelta())]
