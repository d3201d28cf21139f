"""Each sign-in changes the token of a browser's forms: no other tab's form is too old for that."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right
from tests.browser.steps import (
    expect_chosen,
    expect_state,
    fill_in,
    new_name,
    open_act,
    open_form,
    request_token,
    submit,
    take_key,
    typed_or_secret,
    web_storage,
)
from tests.browser.watch import Watch

LOGIN = re.compile(r"/accounts/login/")


@pytest.fixture(autouse=True)
def _the_pages_own_questions_are_refused(watch: Watch) -> None:
    watch.expect_status(401)


def fill_in_sign_in(live: Live, page: Page, email: str = "engineer@example.com") -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(live.product.password)


def press_sign_in(page: Page) -> None:
    page.get_by_role("button", name="Sign in").click()


def new_session(live: Live, page: Page, email: str = "engineer@example.com") -> None:
    """Sign in anew, in another tab of the same browser."""
    page.context.clear_cookies(name="sessionid")
    tab = page.context.new_page()
    live.sign_in(tab, email)
    tab.close()


def make_too_old(page: Page) -> None:
    """As if another tab had signed in, and this page had heard nothing of it."""
    for cookie in page.context.cookies():
        if cookie["name"] == "csrftoken":
            page.context.add_cookies([{**cookie, "value": "x" * 32}])  # type: ignore[typeddict-item]


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    """Without motion: no colour is caught half-way."""
    return new_context(reduced_motion="reduce")


def test_of_two_open_sign_in_tabs_both_let_one_in(live: Live, context: BrowserContext) -> None:
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(f"{live.url}/accounts/login/?next=/team/platform/")
        fill_in_sign_in(live, page)
    press_sign_in(first)
    expect(first).to_have_url(f"{live.url}/team/platform/")
    press_sign_in(second)
    expect(second).to_have_url(f"{live.url}/team/platform/")
    assert web_storage(second) == {}


def test_a_second_sign_in_that_has_heard_nothing_of_the_first_is_let_in_too(
    live: Live, context: BrowserContext
) -> None:
    first, second = context.new_page(), context.new_page()
    second.add_init_script("addEventListener = () => undefined")
    for page in (first, second):
        page.goto(f"{live.url}/accounts/login/?next=/team/platform/")
        fill_in_sign_in(live, page)
    press_sign_in(first)
    expect(first).to_have_url(f"{live.url}/team/platform/")
    press_sign_in(second)
    expect(second).to_have_url(f"{live.url}/team/platform/")


def test_a_form_left_open_over_a_new_sign_in_is_taken(live: Live, page: Page) -> None:
    live.sign_in(page, "engineer@example.com")
    open_form(page)
    fill_in(page, new_name())
    new_session(live, page)
    submit(page)
    assert live.answers_to(take_key(page)) == 200


def test_a_form_of_one_person_is_not_sent_in_anothers_name(
    live: Live, page: Page, watch: Watch
) -> None:
    watch.expect_status(403)
    live.sign_in(page, "engineer@example.com")
    request_token(page)
    take_key(page)
    page.reload()
    open_act(page, "Revoke…")
    page.locator("#revoke-reason").fill("no longer needed")
    new_session(live, page, "lead@example.com")
    page.get_by_role("button", name="Revoke this token").click()
    expect(page.get_by_role("heading", name="This form is too old")).to_be_visible()
    expect(page.get_by_text("You are signed in as lead@example.com.")).to_be_visible()


def test_a_form_that_is_too_old_is_sent_again_by_one_press(
    live: Live, page: Page, watch: Watch
) -> None:
    watch.expect_status(403)
    live.sign_in(page, "engineer@example.com")
    request_token(page)
    take_key(page)
    page.reload()
    address = page.url
    open_act(page, "Revoke…")
    page.locator("#revoke-reason").fill("it leaked into <a wiki>")
    make_too_old(page)
    page.get_by_role("button", name="Revoke this token").click()
    expect(page.get_by_role("heading", name="This form is too old")).to_be_visible()
    expect(page.get_by_text("it leaked into <a wiki>")).to_be_visible()
    assert_looks_right(page)
    page.get_by_role("button", name="Send it again").click()
    expect(page).to_have_url(address)
    expect_state(page, "revoked")
    assert typed_or_secret(page) == {}


def test_a_request_form_that_is_too_old_is_opened_again_filled_in(
    live: Live, page: Page, watch: Watch
) -> None:
    watch.expect_status(403)
    live.sign_in(page, "engineer@example.com")
    name = new_name()
    open_form(page)
    fill_in(page, name, account="status-page", lifetime="8 hours", reason="a wall screen")
    make_too_old(page)
    page.get_by_role("button", name="Request token").click()
    expect(page.get_by_role("heading", name="This form is too old")).to_be_visible()
    page.get_by_role("link", name="Open the form again, filled in").click()
    expect(page.get_by_text("Not requested yet: request it now?")).to_be_visible()
    expect_chosen(page, "Service account", "status-page")
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    expect(page.get_by_label("What uses it")).to_have_value("a wall screen")
    submit(page)
    assert live.answers_to(take_key(page)) == 200


def test_a_sign_in_that_is_too_old_needs_the_password_alone(
    live: Live, page: Page, watch: Watch
) -> None:
    watch.expect_status(403)
    page.goto(f"{live.url}/accounts/login/?next=/team/platform/")
    fill_in_sign_in(live, page)
    page.context.clear_cookies()
    press_sign_in(page)
    expect(page.get_by_role("heading", name="This form is too old")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value("engineer@example.com")
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Password")).to_be_focused()
    assert_looks_right(page)
    page.get_by_label("Password").fill(live.product.password)
    press_sign_in(page)
    expect(page).to_have_url(f"{live.url}/team/platform/")


def test_a_link_with_the_longest_reason_opens_after_a_sign_in(live: Live, page: Page) -> None:
    reason = "".join(chr(0x1F300 + number) for number in range(500))
    page.goto(f"{live.url}/tokens/new/?reason={reason}")
    expect(page).to_have_url(LOGIN)
    fill_in_sign_in(live, page)
    press_sign_in(page)
    expect(page.get_by_label("What uses it")).to_have_value(reason)


def test_the_sign_in_says_that_nothing_has_happened_and_looks_right(live: Live, page: Page) -> None:
    live.sign_in(page, "engineer@example.com")
    open_form(page)
    fill_in(page, new_name())
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Request token").click()
    expect(page.get_by_text("so nothing has happened yet")).to_be_visible()
    assert_looks_right(page)
