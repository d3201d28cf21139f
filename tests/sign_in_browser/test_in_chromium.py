"""Single sign-on and step-up as a person meets them."""

import re
import time

from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import (
    expect_chosen,
    fill_in,
    new_name,
    open_form,
    request_token,
    submit,
    take_key,
)
from tests.browser.watch import Watch
from tests.identity_provider import ErringProvider
from tests.sign_in_browser.conftest import STEP_UP_SECONDS, choose, sign_in

ADMIN_ACCOUNT = "terraform"


def sign_out(page: Page, live: Live) -> None:
    page.locator("summary").filter(has_text="@example.com").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(rf"^{live.url}/accounts/login/"))


def test_groups_that_change_change_what_somebody_sees_at_the_next_sign_in(
    page: Page, live: Live, provider: ErringProvider
) -> None:
    somebody = provider.person("new@example.com", "grafana-platform", "security", name="New One")
    sign_in(page, live, provider, somebody.email)
    menu = page.get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link", name="Audit")).to_be_visible()
    sign_out(page, live)
    assert provider.sessions == {}, "signed out there as well"

    somebody.groups = ["grafana-leads"]
    sign_in(page, live, provider, somebody.email)
    expect(menu.get_by_role("link", name="Team")).to_be_visible()
    expect(menu.get_by_role("link", name="Audit")).to_have_count(0)


def test_a_stranger_reads_who_they_are_there_and_which_groups_were_seen(
    page: Page, live: Live, provider: ErringProvider, watch: Watch
) -> None:
    watch.expect_status(403)
    provider.person("stranger@example.com", "everyone")
    page.goto(f"{live.url}/accounts/login/")
    page.get_by_test_id("sso-button").click()
    choose(page, provider, "stranger@example.com")
    expect(page.get_by_role("heading", name="You have no access here yet")).to_be_visible()
    expect(page.get_by_text("stranger@example.com")).to_be_visible()
    expect(page.get_by_text("everyone")).to_be_visible()
    page.get_by_role("link", name="Back to the sign-in").click()
    expect(page.get_by_test_id("sso-button")).to_be_visible()


def test_a_step_up_by_single_sign_on_keeps_what_was_typed(
    page: Page, live: Live, provider: ErringProvider
) -> None:
    provider.person("engineer@example.com")
    sign_in(page, live, provider, "engineer@example.com")
    request_token(page)  # for an account of another role: nobody is asked
    take_key(page)

    name = new_name()
    open_form(page)
    fill_in(page, name, account=ADMIN_ACCOUNT, reason="to see it through")
    page.get_by_role("button", name="Request token").click()
    choose(page, provider, "engineer@example.com")
    assert provider.asked[-1]["prompt"] == "login"
    expect(page).to_have_url(f"{live.url}/tokens/new/")
    expect(page.get_by_role("status").filter(has_text="Not requested yet")).to_be_visible()
    expect_chosen(page, "Service account", ADMIN_ACCOUNT)
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    expect(page.get_by_label("What uses it")).to_have_value("to see it through")
    submit(page)
    assert live.answers_to(take_key(page)) == 200


def test_a_step_up_by_password_keeps_what_was_typed(
    page: Page, live: Live, provider: ErringProvider
) -> None:
    live.sign_in(page, "engineer@example.com")
    until = time.monotonic() + STEP_UP_SECONDS + 1
    name = new_name()
    open_form(page)
    fill_in(page, name, account=ADMIN_ACCOUNT, reason="to see it through")
    page.wait_for_timeout(max(0.0, until - time.monotonic()) * 1000)  # the sign-in grows old
    page.get_by_role("button", name="Request token").click()
    expect(page.get_by_role("heading", name="Is it still you?")).to_be_visible()
    page.get_by_label("Password").fill(live.product.password)
    page.get_by_role("button", name="Confirm").click()
    expect(page).to_have_url(f"{live.url}/tokens/new/")
    expect(page.get_by_role("status").filter(has_text="Not requested yet")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    submit(page)
    assert live.answers_to(take_key(page)) == 200
