"""A request like the last one: three presses from the list, a form that is half filled in."""

import re

from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right
from tests.browser.steps import (
    choose,
    expect_chosen,
    new_name,
    open_form,
    request_token,
    take_key,
    web_storage,
)

WISH = {"account": "status-page", "lifetime": "8 hours", "reason": "a screen on the wall"}


def test_the_same_again_takes_three_presses_from_the_list(live: Live, engineer: Page) -> None:
    request_token(engineer, new_name(), **WISH)
    take_key(engineer)
    engineer.goto(f"{live.url}/tokens/")
    engineer.get_by_role("link", name="Same as last time").click()
    expect_chosen(engineer, "Service account", "status-page")
    expect(engineer.get_by_label("What uses it")).to_have_value(WISH["reason"])
    engineer.get_by_role("button", name="Request token").click()
    assert live.answers_to(take_key(engineer)) == 200


def test_the_form_begins_with_what_was_asked_for_last_and_one_button_fills_in_the_rest(
    live: Live, engineer: Page
) -> None:
    request_token(engineer, new_name(), **WISH)
    take_key(engineer)
    open_form(engineer)
    expect_chosen(engineer, "Workspace", "observability-prod")
    expect_chosen(engineer, "Service account", "status-page")
    expect(engineer.get_by_label("What uses it")).to_have_value("")
    engineer.emulate_media(reduced_motion="reduce")
    assert_looks_right(engineer)
    engineer.get_by_role("button", name="Same as last time").click()
    expect(engineer.get_by_label("What uses it")).to_have_value(WISH["reason"])
    expect(engineer.get_by_label("Lifetime", exact=True)).to_have_value("8h")
    expect(engineer.get_by_role("button", name="Request token")).to_be_focused()
    # What a link says beats it.
    engineer.goto(f"{live.url}/tokens/new/?name=ci")
    expect(engineer.get_by_label("Workspace", exact=True)).to_have_value("")
    expect(engineer.get_by_role("button", name="Same as last time")).to_be_hidden()


def test_what_was_granted_then_and_is_not_now_is_not_chosen(live: Live, engineer: Page) -> None:
    request_token(engineer, new_name(), **WISH)
    take_key(engineer)
    engineer.evaluate(
        """() => {
          const key = Object.keys(localStorage).find((one) => one.startsWith("last-request:"));
          const last = JSON.parse(localStorage.getItem(key));
          localStorage.setItem(key, JSON.stringify({ ...last, service_account: "99" }));
        }"""
    )
    open_form(engineer)
    expect_chosen(engineer, "Workspace", "observability-prod")
    expect(engineer.get_by_label("Service account", exact=True)).to_have_value("")


def test_nothing_that_looks_like_a_secret_is_kept_for_the_next_request(engineer: Page) -> None:
    name = request_token(engineer, reason="0f" * 32)
    take_key(engineer)
    kept = next(text for key, text in web_storage(engineer).items() if key.startswith("last-"))
    assert "0f0f" not in kept
    assert name not in kept


def test_a_link_to_a_request_is_copied_for_a_runbook(live: Live, engineer: Page) -> None:
    open_form(engineer)
    choose(engineer, "Workspace", "observability-prod")
    choose(engineer, "Service account", "dashboards-ci")
    engineer.get_by_role("button", name="1 hour", exact=True).click()
    engineer.get_by_label("What uses it").fill("restore & verify")
    engineer.get_by_role("button", name="Copy a link to this request").click()
    expect(engineer.get_by_text("Link copied.")).to_be_visible()
    link = engineer.evaluate("navigator.clipboard.readText()")
    assert re.search(r"/tokens/new/\?workspace=g-\w+&service_account=\w+&lifetime=1h&reason=", link)
    engineer.goto(link)
    expect_chosen(engineer, "Service account", "dashboards-ci")
    expect(engineer.get_by_label("What uses it")).to_have_value("restore & verify")
    expect(engineer.get_by_label("Lifetime", exact=True)).to_have_value("1h")
