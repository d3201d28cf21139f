"""Ending a token from its page."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import expect_message, expect_state, open_act, request_token, take_key
from tests.browser.watch import Watch


def revoke(page: Page, reason: str = "") -> None:
    open_act(page, "Revoke…")
    form = page.locator("form").filter(has=page.get_by_role("button", name="Revoke this token"))
    form.get_by_label("Reason").fill(reason)
    form.get_by_role("button", name="Revoke this token").click()


def test_an_owner_revokes_a_token_and_its_key_stops_working(live: Live, engineer: Page) -> None:
    name = request_token(engineer)
    key = take_key(engineer)
    assert live.answers_to(key) == 200
    engineer.reload()
    revoke(engineer, "not needed any more")
    expect_state(engineer, "revoked")
    expect_message(engineer, "The token was revoked by engineer@example.com: not needed any more.")
    assert live.answers_to(key) == 401
    expect(engineer.locator("summary", has_text="Revoke")).to_have_count(0)
    engineer.get_by_role("link", name="My tokens").first.click()
    row = engineer.get_by_test_id("tokens-table").get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("revoked")


def test_a_token_is_revoked_on_the_page_that_shows_its_key(live: Live, engineer: Page) -> None:
    request_token(engineer)
    key = take_key(engineer)
    revoke(engineer)
    expect_state(engineer, "revoked")
    assert live.answers_to(key) == 401


def test_a_lead_revokes_the_token_of_a_member(
    live: Live, engineer: Page, page_of: Callable[[str], Page]
) -> None:
    request_token(engineer)
    key = take_key(engineer)
    lead = page_of("lead@example.com")
    lead.goto(engineer.url)
    revoke(lead, "left the team")
    expect_state(lead, "revoked")
    assert live.answers_to(key) == 401
    engineer.reload()
    expect_message(engineer, "The token was revoked by lead@example.com: left the team.")


def test_a_teammate_is_offered_nothing_to_end(
    engineer: Page, page_of: Callable[[str], Page]
) -> None:
    request_token(engineer)
    take_key(engineer)
    teammate = page_of("teammate@example.com")
    teammate.goto(engineer.url)
    expect_state(teammate, "active")
    expect(teammate.locator("summary", has_text="Revoke")).to_have_count(0)


def test_who_comes_too_late_learns_who_was_first(
    live: Live, engineer: Page, page_of: Callable[[str], Page], watch: Watch
) -> None:
    watch.expect_status(409)
    name = request_token(engineer)
    take_key(engineer)
    stale = engineer.context.new_page()
    stale.goto(engineer.url)
    expect_state(stale, "active")
    lead = page_of("lead@example.com")
    lead.goto(engineer.url)
    revoke(lead, "left the team")
    expect_state(lead, "revoked")

    revoke(stale)
    expect(stale.get_by_role("heading", name="be revoked any more")).to_be_visible()
    expect(
        stale.get_by_text("The token was revoked by lead@example.com: left the team.")
    ).to_be_visible()
    stale.get_by_role("link", name="Open the token").click()
    expect(stale.get_by_role("heading", name=name)).to_be_visible()
    expect_state(stale, "revoked")
