"""A tab that nobody looks at says by its title and icon that something has come."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import (
    expect_state,
    fill_in,
    key_element,
    new_name,
    open_form,
    request_token,
    submit,
)

UNSEEN = """
let isHidden = true;
Object.defineProperty(document, "hidden", { get: () => isHidden });
window.look = () => { isHidden = false; document.dispatchEvent(new Event("visibilitychange")); };
"""
ICON = "link[rel=icon]"


def test_an_unseen_tab_says_that_its_key_is_ready(live: Live, engineer: Page) -> None:
    live.hold_aws()
    name = new_name()
    open_form(engineer)
    fill_in(engineer, name)
    engineer.add_init_script(UNSEEN)
    submit(engineer)
    expect(engineer).to_have_title(f"{name} · Token portal")
    live.let_aws_go()
    expect(key_element(engineer)).to_be_attached()
    expect(engineer).to_have_title(f"Key ready · {name} · Token portal")
    expect(engineer.locator(ICON)).to_have_attribute("href", re.compile("seal-news"))
    engineer.evaluate("look()")
    expect(engineer).to_have_title(f"{name} · Token portal")
    expect(engineer.locator(ICON)).not_to_have_attribute("href", re.compile("seal-news"))


@pytest.mark.usefixtures("approval_is_asked")
def test_an_unseen_tab_says_that_its_request_was_answered_and_can_notify(
    live: Live, engineer: Page, page_of: Callable[[str], Page]
) -> None:
    name = request_token(engineer)
    # A browser without windows shows no notifications: it is told that it does. And a minute
    # between the questions of a page that nobody looks at is long.
    engineer.add_init_script(
        f"{UNSEEN} const wait = setTimeout; window.shown = [];"
        "window.setTimeout = (work, time, ...more) => wait(work, time / 40, ...more);"
        "window.Notification = class extends EventTarget {"
        "  static permission = 'granted'; constructor(words) { super(); shown.push(words); } };"
    )
    engineer.reload()
    expect(engineer.get_by_text("This browser notifies you of the answer")).to_be_visible()
    lead = page_of("lead@example.com")
    lead.goto(engineer.url)
    lead.get_by_role("button", name="Approve", exact=True).click()
    expect(engineer).to_have_title(f"Answered · {name} · Token portal")
    assert engineer.evaluate("shown") == ["Answered"]
    engineer.evaluate("look()")
    expect(engineer.get_by_role("button", name="Make my key now")).to_be_visible()
    expect_state(engineer, "awaiting_recipient")
