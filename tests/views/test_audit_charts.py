"""The charts above the log: what they count, what they cover, and how a screen reader has them."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import Action, Outcome, State, Token, User
from portal.reading import charts as reading
from portal.reading.charts import charts
from portal.reading.filters import Filter
from portal.views.audit.drawing import MOST_CAUSES, MOST_SERIES, draw
from tests.audit_log import tell
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NOON = datetime(2024, 11, 23, 12, tzinfo=UTC)
RANGE = Filter(since=NOON - 5 * DAY, until=NOON + DAY)


def issued(at: datetime, team: str = "platform", times: int = 1) -> None:
    for _ in range(times):
        tell(Action.TOKEN_ISSUED, at=at, team=team, token_id=uuid.uuid4())


def test_tokens_are_counted_by_day_and_team() -> None:
    tell(Action.TOKEN_REQUESTED, at=NOON, team="platform")
    issued(NOON - 6 * DAY)
    issued(datetime(2024, 11, 22, 23, 59, 59, tzinfo=UTC), "platform", 2)
    issued(datetime(2024, 11, 23, 0, 0, tzinfo=UTC), "mobile")
    issued(NOON, "platform", 3)
    issued(NOON + DAY)
    assert charts(RANGE).issued == {
        date(2024, 11, 22): {"platform": 2},
        date(2024, 11, 23): {"mobile": 1, "platform": 3},
    }


def test_the_filters_narrow_the_charts_but_not_by_what_happened() -> None:
    issued(NOON, "platform", 2)
    issued(NOON, "mobile")
    tell(Action.TOKEN_FAILED, at=NOON, team="mobile", outcome=Outcome.FAILED, error_code="X")
    wanted = Filter(
        since=RANGE.since, until=RANGE.until, team="mobile", action="token.failed", outcome="failed"
    )
    found = charts(wanted)
    assert found.issued == {NOON.date(): {"mobile": 1}}
    assert found.failures == [("X", 1)]


def test_failures_are_counted_by_cause_most_first() -> None:
    for code, times in (("NameTaken", 1), ("AccessDeniedException", 3), ("", 2)):
        for _ in range(times):
            tell(Action.TOKEN_FAILED, at=NOON, outcome=Outcome.FAILED, error_code=code)
    tell(Action.SIGNIN_FAILED, at=NOON, outcome=Outcome.FAILED, error_code="Not a token")
    assert charts(RANGE).failures == [
        ("AccessDeniedException", 3),
        ("no code", 2),
        ("NameTaken", 1),
    ]


def test_live_tokens_are_counted_by_what_they_have_left(
    make_token: Callable[..., Token],
    engineer: User,
    outsider: User,
    catalog: Catalog,
) -> None:
    now = timezone.now()
    for left, state in (
        (timedelta(minutes=5), State.ACTIVE),
        (timedelta(minutes=50), State.REVOKING),
        (timedelta(hours=5), State.ACTIVE),
        (timedelta(days=29), State.ACTIVE),
        (timedelta(days=3), State.REVOKED),
        (-timedelta(minutes=1), State.ACTIVE),
    ):
        make_token(engineer, state=state, expires_at=now + left)
    make_token(
        outsider,
        name="app-live",
        service_account=catalog.mobile_account,
        state=State.ACTIVE,
        expires_at=now + timedelta(days=2),
    )

    def remaining(**asked: str) -> list[int]:
        return [count for _, count in charts(Filter(**asked)).remaining]  # type: ignore[arg-type]

    assert remaining() == [2, 1, 1, 1]
    assert remaining(team="platform") == [2, 1, 0, 1]
    assert remaining(workspace=catalog.mobile_account.workspace.aws_id) == [0, 0, 1, 0]
    assert remaining(service_account=catalog.deployer.aws_id) == [2, 1, 1, 1]
    assert remaining(actor=outsider.email) == [0, 0, 1, 0]
    assert remaining(q="app-") == [0, 0, 1, 0]
    assert remaining(q="outsid") == [0, 0, 1, 0]


def test_they_cover_a_month_unless_asked_and_a_year_at_most() -> None:
    now = timezone.now()
    usual = charts(Filter())
    assert usual.until - usual.since == 30 * DAY
    assert not usual.is_cut
    longest = charts(Filter(since=now - 900 * DAY))
    assert longest.until - longest.since == 366 * DAY
    assert longest.is_cut
    assert charts(Filter(until=now + 900 * DAY)).until <= timezone.now()
    ends = charts(Filter(until=NOON - 100 * DAY))
    assert (ends.since, ends.until) == (NOON - 130 * DAY, NOON - 100 * DAY)


def test_they_read_only_so_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the range: what was before the last so many is said not to be covered."""
    monkeypatch.setattr(reading, "MOST_EVENTS", 5)
    for hours in range(10, 0, -1):
        issued(NOON - timedelta(hours=hours))
    found = charts(RANGE)
    assert found.is_cut
    assert found.since == NOON - timedelta(hours=6)
    assert found.issued == {NOON.date(): {"platform": 5}}
    monkeypatch.setattr(reading, "MOST_EVENTS", 10)
    assert not charts(RANGE).is_cut


# -- On the page --------------------------------------------------------------------------------


@pytest.fixture
def page(sign_in: Callable[[User], Client], auditor: User) -> Callable[..., str]:
    client = sign_in(auditor)

    def page(query: str = "since=2024-11-18&until=2024-11-24") -> str:
        answer = client.get(f"/audit/charts/?{query}")
        assert answer.status_code == 200
        return answer.content.decode()

    return page


def test_a_screen_reader_has_the_charts_as_tables(page: Callable[..., str]) -> None:
    issued(NOON, "platform", 3)
    issued(NOON - DAY, "mobile")
    tell(Action.TOKEN_FAILED, at=NOON, outcome=Outcome.FAILED, error_code="NameTaken")
    html = page()
    for table in ("Tokens issued on each day", "Requests that failed, by cause", "Still lives"):
        assert table in html
    rows = re.findall(r'<tr><th scope="row">([^<]+)</th>((?:<td>\d+</td>)+)</tr>', html)
    assert rows == [
        ("22 Nov 2024", "<td>0</td><td>1</td>"),
        ("23 Nov 2024", "<td>3</td><td>0</td>"),
    ]
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert drawings
    shown = re.sub(
        r'<div class="plot" aria-hidden="true">.*?</div>\s*</div>', "", html, flags=re.DOTALL
    )
    assert "<svg" in shown
    assert all('aria-hidden="true"' in svg for svg in re.findall(r"<svg[^>]*>", shown))


def test_no_chart_needs_a_style_or_a_script_of_its_own(page: Callable[..., str]) -> None:
    """The Content Security Policy would refuse them."""
    issued(NOON)
    html = page()
    assert "<rect" in html
    assert not re.search(r"\sstyle=|<style|<script(?![^>]*\ssrc=)|\son\w+=", html)


def test_a_range_without_anything_says_so(page: Callable[..., str]) -> None:
    html = page("since=2020-01-01&until=2020-01-02")
    assert "No token was issued." in html
    assert "None failed." in html


def test_bars_stack_to_the_highest_day() -> None:
    issued(NOON, "platform", 3)
    issued(NOON, "mobile", 1)
    issued(NOON - DAY, "mobile", 1)
    days = draw(charts(RANGE)).issued
    assert days.top == 4
    assert days.days == 7
    assert [(number, team, count) for number, team, count in days.series] == [
        (1, "platform", 3),
        (2, "mobile", 2),
    ]
    today = [bar for bar in days.bars if bar.x == 5]
    assert [(bar.series, bar.y, bar.height) for bar in today] == [(1, 25.0, 75.0), (2, 0.0, 25.0)]
    [before] = [bar for bar in days.bars if bar.x == 4]
    assert (before.series, before.y, before.height) == (2, 75.0, 25.0)


def test_many_teams_and_causes_share_the_last_bar() -> None:
    for n in range(MOST_SERIES + 3):
        issued(NOON, f"team-{n}", 20 - n)
    for n in range(MOST_CAUSES + 2):
        tell(Action.TOKEN_FAILED, at=NOON, outcome=Outcome.FAILED, error_code=f"Cause{n}")
    drawing = draw(charts(RANGE))
    assert drawing.issued.series[-1] == (MOST_SERIES + 1, "other teams", 15 + 14 + 13)
    assert sum(bar.height for bar in drawing.issued.bars) == pytest.approx(100, abs=0.1)
    assert [row.label for row in drawing.failures][-1] == "other causes"
    assert drawing.failures[-1].count == 2
    assert sum(row.count for row in drawing.failures) == MOST_CAUSES + 2
