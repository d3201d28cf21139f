"""Signing out forgets every private key, whatever the browser is doing meanwhile."""

import re

from playwright.sync_api import Page, Route, expect

from tests.browser.live import Live
from tests.browser.steps import (
    HELD_KEY_PAIR,
    open_form,
    request_token,
    stored_records,
)
from tests.browser.watch import Watch

SLOW_SIGN_OUT = """
const send = HTMLFormElement.prototype.submit;
HTMLFormElement.prototype.submit = async function () {
  await finishKeyPair();
  setTimeout(() => send.call(this), 500);
};
"""
"""The key pair is finished while the browser waits for the answer to the sign-out."""


def sign_out(page: Page) -> None:
    page.locator("summary").filter(has_text="@example.com").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(r"/accounts/login/"))


def test_signing_out_forgets_the_private_key_of_a_request_under_way(live: Live, page: Page) -> None:
    live.sign_in(page, "engineer@example.com")
    live.hold_aws()
    request_token(page)
    url = page.url
    assert len(stored_records(page)) == 1
    sign_out(page)
    live.let_aws_go()
    assert stored_records(page) == []

    live.sign_in(page, "engineer@example.com")
    page.goto(url)
    expect(page.get_by_role("alert")).to_contain_text("The key is not for this browser.")


def test_signing_out_while_a_key_pair_is_being_made_leaves_none_behind(
    live: Live, page: Page
) -> None:
    live.sign_in(page, "engineer@example.com")
    page.add_init_script(HELD_KEY_PAIR)
    page.add_init_script(SLOW_SIGN_OUT)
    open_form(page)
    expect(page.get_by_role("button", name="Request token")).to_be_enabled()
    sign_out(page)
    assert stored_records(page) == []


def test_signing_out_in_another_tab_while_the_ciphertext_arrives_leaves_nothing_behind(
    live: Live, page: Page, watch: Watch
) -> None:
    watch.expect_status(401)
    live.sign_in(page, "engineer@example.com")
    other = page.context.new_page()
    other.goto(f"{live.url}/tokens/")

    def sign_out_meanwhile(route: Route) -> None:
        answer = route.fetch()
        if answer.status == 200:
            sign_out(other)
        route.fulfill(response=answer)

    page.route("**/sealed/*", sign_out_meanwhile)
    request_token(page)
    expect(page.get_by_role("alert")).to_contain_text("You are signed out.")
    assert stored_records(page) == []
