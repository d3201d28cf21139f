"""Times and waits, in every form that AWS and HTTP have for them."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.grafana.times import http_date, retry_after, timestamp
from tests.grafana.scripted_server import DATE

MOMENT = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
EPOCH = int(MOMENT.timestamp())


@pytest.mark.parametrize(
    "value",
    [
        EPOCH,
        float(EPOCH),
        str(EPOCH),
        f"{EPOCH}.0",
        f"{EPOCH / 1e9!r}e9",
        f" {EPOCH} ",
        "2026-11-03T09:30:00Z",
        "2026-11-03T09:30:00.000Z",
        "2026-11-03T10:30:00+01:00",
        "2026-11-03T09:30:00",
        "20261103T093000Z",
        "Tue, 03 Nov 2026 09:30:00 GMT",
        "Tue, 03 Nov 2026 10:30:00 +0100",
        "03 Nov 2026 09:30:00 -0000",
    ],
)
def test_a_timestamp_comes_in_many_forms(value: object) -> None:
    moment = timestamp(value)
    assert moment == MOMENT
    assert moment is not None
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "value", ["2026-11-03T09:30:00", "20261103T093000", "03 Nov 2026 09:30:00 -0000"]
)
def test_a_time_without_a_zone_is_in_utc_wherever_we_are(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        assert timestamp(value) == MOMENT
    time.tzset()


@pytest.mark.parametrize("value", [EPOCH + 0.25, f"{EPOCH}.25", "2026-11-03T09:30:00.250Z"])
def test_a_timestamp_may_have_fractions(value: object) -> None:
    assert timestamp(value) == MOMENT.replace(microsecond=250_000)


@settings(deadline=None)
@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none()))
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59-14:00")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("99999999999999999999 Nov 2026 10:00:30")
@example("1e999")
def test_whatever_comes_a_timestamp_is_one_or_a_value_error(value: Any) -> None:
    try:
        moment = timestamp(value)
    except ValueError:
        return
    assert (moment is None) == (value is None)
    assert moment is None or moment.tzinfo is UTC


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("1e3", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("9" * 400, 86_400.0),
        ("Tue, 03 Nov 2026 10:00:30 GMT", 30.0),
        ("Tue, 03 Nov 2026 09:59:00 GMT", 0.0),
        ("Wed, 03 Nov 2027 10:00:00 GMT", 86_400.0),
        ("Tue, 99 Nov 2026 10:00:30 GMT", None),
    ],
)
def test_retry_after_in_all_its_shapes(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, answered_at=http_date(DATE)) == seconds


def test_without_a_date_of_the_answer_retry_after_counts_from_now() -> None:
    assert retry_after("Tue, 03 Nov 2020 10:00:30 GMT", answered_at=None) == 0.0
    assert retry_after("Sat, 03 Nov 2080 10:00:30 GMT", answered_at=None) == 86_400.0


@settings(deadline=None)
@given(st.text())
def test_whatever_comes_retry_after_is_a_number_or_none(header: str) -> None:
    seconds = retry_after(header, answered_at=None)
    assert seconds is None or 0.0 <= seconds <= 86_400.0
