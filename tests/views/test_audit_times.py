"""Times that an auditor types: in the reader's zone, and at the edges of the calendar."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import Action, AuditEvent, User
from portal.moments import FIRST, LAST
from portal.reading.charts import charts
from portal.reading.events import page
from portal.reading.filters import Filter
from portal.views.audit.drawing import draw
from tests.audit_log import tell
from tests.views.test_audit_export import as_json, as_rows, download
from tests.views.test_audit_log import shown

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
PAGES = ("", "charts/", "export.csv", "export.jsonl")


@pytest.fixture
def log(sign_in: Callable[[User], Client], auditor: User) -> Client:
    return sign_in(auditor)


@pytest.fixture
def hours() -> dict[int, AuditEvent]:
    """An event at each hour of two days of UTC, by the hours since their beginning."""
    begin = datetime(2024, 11, 23, tzinfo=UTC)
    return {
        n: tell(Action.TOKEN_ISSUED, at=begin + n * HOUR, team="platform", token_id=uuid.uuid4())
        for n in range(48)
    }


# -- The edges of the calendar ------------------------------------------------------------------


@pytest.mark.parametrize("where", PAGES)
@pytest.mark.parametrize(
    "query",
    [
        "since=0001-01-01",
        "until=0001-01-01",
        "since=9999-12-31",
        "until=9999-12-31",
        "until=9999-12-31T23:59:59Z",
        "since=0001-01-01&until=9999-12-31",
        "since=9999d",
        "since=0001-01-02T00:00&time_zone=Asia/Tokyo",
    ],
)
def test_the_first_and_the_last_day_of_the_calendar_are_days_like_others(
    log: Client, query: str, where: str
) -> None:
    tell(Action.TOKEN_ISSUED, at=timezone.now() - HOUR, team="platform")
    answer = log.get(f"/audit/{where}?{query}")
    assert answer.status_code == 200
    if answer.streaming:
        assert b"".join(answer)


@pytest.mark.parametrize("where", PAGES)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=0001-01-01&time_zone=Asia/Tokyo", "since"),
        ("until=9999-12-31T23:00&time_zone=America/New_York", "until"),
        ("since=0001-01-01T00:00%2B14:00", "since"),
        ("until=9999-12-31T23:59:59-12:00", "until"),
    ],
)
def test_a_moment_before_year_1_or_after_9999_is_a_mistake_beside_its_field(
    log: Client, query: str, field: str, where: str
) -> None:
    answer = log.get(f"/audit/{where}?{query}")
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {field}
    assert "before the year 1 or after 9999" in answer.content.decode()


def test_everything_lies_between_the_first_and_the_last_day(
    log: Client, hours: dict[int, AuditEvent]
) -> None:
    found = log.get("/audit/?since=0001-01-01&until=9999-12-31").context["page"].events
    assert [event.seq for event in found] == [event.seq for event in hours.values()][::-1]
    text = download(log, "/audit/export.jsonl?since=0001-01-01&until=9999-12-31")
    events, trailer = as_json(text)
    assert len(events) == len(hours) + 1
    assert trailer["filter"] == {"since": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z"}


def test_pages_turn_within_any_range(hours: dict[int, AuditEvent]) -> None:
    for wanted in (Filter(since=FIRST), Filter(until=LAST), Filter(since=FIRST, until=LAST)):
        assert len(page(wanted, size=10).events) == 10
    for wanted in (Filter(since=LAST), Filter(until=FIRST)):
        assert page(wanted).events == []
        assert draw(charts(wanted)).issued.bars == []


# -- The reader's zone --------------------------------------------------------------------------

RANGES = {
    "since=2024-11-24&time_zone=Asia/Tokyo": range(15, 48),
    "until=2024-11-23&time_zone=Asia/Tokyo": range(15),
    "since=2024-11-24&until=2024-11-24&time_zone=Asia/Tokyo": range(15, 39),
    "since=2024-11-24T09:00&until=2024-11-24T12:00&time_zone=Asia/Tokyo": range(24, 27),
    "since=2024-11-24T09:00Z&time_zone=Asia/Tokyo": range(33, 48),
    "since=2024-11-24T09:00-01:00&time_zone=Asia/Tokyo": range(34, 48),
    "since=2024-11-24": range(24, 48),
    "since=2024-11-24&time_zone=": range(24, 48),
    "since=2024-11-24&time_zone=UTC": range(24, 48),
    "time_zone=Asia/Tokyo": range(48),
}


@pytest.mark.parametrize(("query", "expected"), RANGES.items())
def test_a_day_is_the_readers_day_on_the_page_and_in_every_export(
    log: Client, hours: dict[int, AuditEvent], query: str, expected: range
) -> None:
    wanted = [hours[n].seq for n in expected]
    answer = log.get(f"/audit/?{query}")
    assert [event.seq for event in answer.context["page"].events] == wanted[::-1]
    for kind, link in (("csv", "/audit/export.csv"), ("jsonl", "/audit/export.jsonl")):
        html = unescape(answer.content.decode())
        [link] = re.findall(rf'href="({link}[^"]*)"', html)
        text = download(log, link)
        rows = as_rows(text) if kind == "csv" else as_json(text)[0]
        found = [int(str(row["seq"])) for row in rows]
        assert [seq for seq in found if seq <= hours[47].seq] == wanted
        assert str(rows[0]["at"]).endswith("Z"), "exports stay in UTC"


def test_the_zone_is_part_of_the_link_and_said_beside_the_field(
    log: Client, hours: dict[int, AuditEvent]
) -> None:
    query = "since=2024-11-01T12%3A00&until=2024-12-01&time_zone=Asia%2FTokyo"
    answer = log.get(f"/audit/?{query}")
    html = unescape(answer.content.decode())
    assert answer.context["form"].query == query
    for link in ("/audit/export.csv", "/audit/export.jsonl", "/audit/charts/"):
        assert f"{link}?{query}" in html
    assert 'name="time_zone" id="id_time_zone" value="Asia/Tokyo"' in html
    assert html.count("In the time of <span data-zone>Asia/Tokyo</span>.") == 3
    html = log.get("/audit/?since=2024-11-01").content.decode()
    assert html.count("In the time of <span data-zone>UTC</span>.") == 3
    assert log.get("/audit/?time_zone=Asia/Tokyo").context["form"].query == ""


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "../../etc/passwd", "localtime", "Etc/Unknown", "\u202eUTC", "x" * 65]
)
@pytest.mark.parametrize("where", PAGES)
def test_a_zone_that_nobody_knows_is_a_mistake_and_nothing_typed_is_lost(
    log: Client, hours: dict[int, AuditEvent], zone: str, where: str
) -> None:
    answer = log.get(f"/audit/{where}", {"since": "2024-11-23T07:00", "time_zone": zone})
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"time_zone"}
    html = answer.content.decode()
    assert 'value="2024-11-23T07:00"' in html
    assert 'id="id_time_zone_error"' in html
    assert 'href="#id_since"' in html
    assert "\u202e" not in html
    assert 'name="time_zone" id="id_time_zone" value=""' in html, "sent again, it is UTC's time"


def test_a_time_that_clocks_show_twice_loses_no_event(log: Client) -> None:
    first = datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    told = [tell(Action.CATALOG_SYNCED, at=first + n * HOUR).seq for n in range(-1, 3)]
    berlin = "time_zone=Europe/Berlin"
    assert shown(log.get(f"/audit/?since=2024-10-27T02:30&{berlin}").content) == told[:0:-1]
    assert shown(log.get(f"/audit/?until=2024-10-27T02:30:01&{berlin}").content) == told[2::-1]


# -- Charts -------------------------------------------------------------------------------------


def test_charts_count_by_the_readers_days(log: Client, hours: dict[int, AuditEvent]) -> None:
    asked = Filter(since=hours[0].at, until=hours[47].at + HOUR)
    assert charts(asked).issued == {
        date(2024, 11, 23): {"platform": 24},
        date(2024, 11, 24): {"platform": 24},
    }
    assert charts(asked, ZoneInfo("Asia/Tokyo")).issued == {
        date(2024, 11, 23): {"platform": 15},
        date(2024, 11, 24): {"platform": 24},
        date(2024, 11, 25): {"platform": 9},
    }
    assert charts(asked, ZoneInfo("America/St_Johns")).issued == {
        date(2024, 11, 22): {"platform": 4},
        date(2024, 11, 23): {"platform": 24},
        date(2024, 11, 24): {"platform": 20},
    }
    html = log.get("/audit/charts/?since=2024-11-23&until=2024-11-24&time_zone=Asia/Tokyo").content
    assert b"in days of Asia/Tokyo" in b" ".join(html.split())
    assert b"2024-11-23: platform, 15" in html
    assert b"2024-11-24: platform, 24" in html


def test_charts_count_each_moment_once_across_a_change_of_the_clocks() -> None:
    begin = datetime(2024, 10, 26, 22, tzinfo=UTC)  # midnight of Berlin's day of 25 hours
    for n in range(-1, 26):
        tell(Action.TOKEN_ISSUED, at=begin + n * HOUR, team="platform", token_id=uuid.uuid4())
    asked = Filter(since=begin - 5 * HOUR, until=begin + 40 * HOUR)
    assert charts(asked, ZoneInfo("Europe/Berlin")).issued == {
        date(2024, 10, 26): {"platform": 1},
        date(2024, 10, 27): {"platform": 25},
        date(2024, 10, 28): {"platform": 1},
    }


def test_every_day_that_has_tokens_is_drawn_in_every_zone() -> None:
    now = timezone.now()
    for n in range(60):
        tell(Action.TOKEN_ISSUED, at=now - n * 5 * HOUR, team="platform", token_id=uuid.uuid4())
    for name in ("Pacific/Kiritimati", "Pacific/Niue", "Asia/Kathmandu", "Europe/Berlin", "UTC"):
        drawing = draw(charts(Filter(), ZoneInfo(name)))
        assert sum(sum(counts) for _, counts in drawing.issued.rows) == 60
        assert len(drawing.issued.bars) == len(drawing.issued.rows)
        assert drawing.issued.days in (30, 31)
