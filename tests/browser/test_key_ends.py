"""A page with a key learns that its token has ended, and takes the key away."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right
from tests.browser.steps import (
    expect_message,
    expect_no_key,
    expect_state,
    fill_in,
    key_element,
    key_on,
    new_name,
    open_act,
    open_form,
    request_token,
    submit,
    take_key,
)
from tests.browser.watch import Watch


@pytest.fixture
def page(new_context: Callable[..., BrowserContext], live: Live) -> Page:
    """The engineer, with a session that may end; without motion, for its looks."""
    page = new_context(reduced_motion="reduce").new_page()
    live.sign_in(page, "engineer@example.com")
    return page


def over(page: Page, why: str | re.Pattern[str]) -> None:
    """The key was taken away, and the page says why."""
    said = page.get_by_role("alert").filter(has_text="This key no longer works")
    expect(said).to_contain_text(why)
    expect_no_key(page)


def revoke(page: Page, reason: str) -> None:
    open_act(page, "Revoke…")
    page.locator("#revoke-reason").fill(reason)
    page.get_by_role("button", name="Revoke this token").click()
    expect_state(page, "revoked")


def test_a_key_is_taken_away_when_a_lead_revokes_its_token(
    page: Page, page_of: Callable[[str], Page]
) -> None:
    request_token(page)
    key = key_on(page)
    page.get_by_test_id("show-key").click()
    lead = page_of("lead@example.com")
    lead.goto(page.url)
    revoke(lead, "it leaked")
    over(page, re.compile(r"The token was (ended|revoked) by lead@example\.com: it leaked\."))
    expect_state(page, "revoked")
    assert key not in page.content()
    assert_looks_right(page)
    # It is worth nothing any more: nothing asks before it is left.
    page.get_by_role("link", name="My tokens").first.click()
    expect(page).to_have_url(re.compile(r"/tokens/$"))


def test_a_key_is_taken_away_when_its_time_is_over(page: Page) -> None:
    open_form(page)
    fill_in(page, new_name())
    page.get_by_label("Lifetime", exact=True).fill("15")
    submit(page)
    key_on(page)
    over(page, "The token has expired.")


def test_a_page_that_shows_no_key_learns_it_too(
    engineer: Page, page_of: Callable[[str], Page]
) -> None:
    request_token(engineer)
    take_key(engineer)
    teammate = page_of("teammate@example.com")
    teammate.goto(engineer.url)
    expect_state(teammate, "active")
    engineer.reload()
    revoke(engineer, "no longer needed")
    expect_state(teammate, "revoked")
    expect_message(teammate, "by engineer@example.com: no longer needed")
    expect(teammate.get_by_role("region", name="Record")).to_contain_text("no longer needed")


def test_a_key_outlives_its_persons_session(live: Live, page: Page, watch: Watch) -> None:
    watch.expect_status(401)
    request_token(page)
    key = key_on(page)
    page.context.clear_cookies(name="sessionid")
    notice = page.get_by_role("alert").filter(has_text="You are signed out. The key stays here")
    expect(notice).to_be_visible()
    expect(key_element(page)).to_be_visible()
    with page.context.expect_page() as opened:
        notice.get_by_role("link", name="Sign in again").click()
    tab = opened.value
    tab.get_by_label("Email").fill("engineer@example.com")
    tab.get_by_label("Password").fill(live.product.password)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab).to_have_url(page.url)
    expect_no_key(tab)
    tab.close()
    expect(notice).to_be_hidden()
    assert take_key(page) == key
