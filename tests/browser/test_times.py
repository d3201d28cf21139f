"""Times go with the time, and by the portal's clock whatever a person's computer says."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, Page, StorageState, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right
from tests.browser.steps import fill_in, new_name, open_form, request_token, submit, take_key

BERLIN = ZoneInfo("Europe/Berlin")
SHIFTED = """
const Real = Date;
globalThis.Date = class extends Real {
  constructor(...given) { given.length ? super(...given) : super(Real.now() + SHIFT); }
  static now() { return Real.now() + SHIFT; }
};
"""
"""A computer whose clock is SHIFT milliseconds fast."""

COLLECT = """
(element) => new Promise((resolve) => {
  const seen = [element.textContent];
  new MutationObserver(() => {
    seen.push(element.textContent);
    if (seen.length === 4) resolve(seen);
  }).observe(element, { childList: true });
})
"""


@pytest.fixture
def computer(
    new_context: Callable[..., BrowserContext], session_of: Callable[[str], StorageState]
) -> Callable[[timedelta], Page]:
    """The engineer at a computer whose clock is so much fast, or slow if that is below nothing."""

    def computer(fast: timedelta) -> Page:
        context = new_context(
            storage_state=session_of("engineer@example.com"), reduced_motion="reduce"
        )
        context.add_init_script(SHIFTED.replace("SHIFT", str(round(fast.total_seconds() * 1000))))
        return context.new_page()

    return computer


OFF = pytest.mark.parametrize(
    ("fast", "said"),
    [
        pytest.param(timedelta(hours=-2), "2 hours slow", id="2 h slow"),
        pytest.param(timedelta(hours=3), "3 hours fast", id="3 h fast"),
        pytest.param(timedelta(days=40), "40 days fast", id="40 days fast"),
        pytest.param(timedelta(seconds=-100), "2 minutes slow", id="100 s slow"),
    ],
)


@OFF
def test_until_is_measured_by_the_portals_clock(
    live: Live, computer: Callable[[timedelta], Page], fast: timedelta, said: str
) -> None:
    page = computer(fast)
    page.goto(f"{live.url}/tokens/")
    open_form(page)
    fill_in(page, new_name())
    end = (datetime.now(UTC) + timedelta(hours=5)).replace(second=0, microsecond=0)
    page.get_by_label("Lifetime", exact=True).fill(f"{end.astimezone(BERLIN):%Y-%m-%d %H:%M}")
    expect(page.locator("#lifetime-words")).to_contain_text(re.compile("= (4 hours|5 hours)"))
    expect(page.get_by_text(f"{end.astimezone(BERLIN):%H:%M} Europe/Berlin")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()
    assert_looks_right(page)
    submit(page)
    take_key(page)
    expires = page.get_by_role("region", name="Record").locator("time").last
    ends_at = datetime.fromisoformat(expires.get_attribute("datetime") or "")
    assert abs(ends_at - end) < timedelta(seconds=10)


@OFF
def test_distances_are_measured_by_the_portals_clock(
    live: Live, computer: Callable[[timedelta], Page], fast: timedelta, said: str
) -> None:
    page = computer(fast)
    page.goto(f"{live.url}/tokens/")
    name = request_token(page, lifetime="8 hours")
    take_key(page)
    page.goto(f"{live.url}/tokens/")
    row = page.get_by_test_id("tokens-table").get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("in 8 hours")
    expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()


def test_a_clock_that_is_right_is_not_talked_about(engineer: Page) -> None:
    expect(engineer.get_by_role("heading", name="My tokens")).to_be_visible()
    expect(engineer.get_by_text("clock of this computer")).to_have_count(0)


def test_what_ends_soon_is_counted_down(live: Live, engineer: Page) -> None:
    name = new_name()
    open_form(engineer)
    fill_in(engineer, name)
    engineer.get_by_label("Lifetime", exact=True).fill("55")
    submit(engineer)
    take_key(engineer)
    engineer.goto(f"{live.url}/tokens/")
    row = engineer.get_by_test_id("tokens-table").get_by_role("row").filter(has_text=name)
    seen = row.get_by_role("cell").nth(2).locator("[data-from-now]").evaluate(COLLECT)
    assert seen[0].endswith(" seconds")
    left = [int(words.split()[1]) for words in seen]
    # A browser that is short of time may leave a second out.
    assert left == sorted(set(left), reverse=True), left
    assert 0 < left[0] - left[-1] < len(left) + 5
