"""How the pages of approval, collection and reissue look, and that a keyboard is enough."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, StorageState, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right, tab_to
from tests.browser.steps import expect_state, fill_in, key_on, new_name, open_form, submit, take_key
from tests.browser.test_answers import address
from tests.browser.watch import Watch


@pytest.fixture
def page_of(
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    live: Live,
) -> Callable[[str], Page]:
    """Signed-in pages without motion: no colour is caught half-way."""

    def page_of(email: str) -> Page:
        page = new_context(storage_state=session_of(email), reduced_motion="reduce").new_page()
        page.goto(f"{live.url}/tokens/")
        return page

    return page_of


def ask(page: Page) -> str:
    """Request a token with a long name and reason; returns its page's address."""
    open_form(page)
    fill_in(page, f"{new_name()}-{'long-name-' * 4}", lifetime="1 day", reason="nightly " * 20)
    submit(page)
    return address(page)


@pytest.mark.usefixtures("approval_is_asked")
def test_the_pages_of_a_request_that_waits_for_people_look_right(
    page_of: Callable[[str], Page], watch: Watch
) -> None:
    watch.expect_status(422)
    engineer, lead = page_of("engineer@example.com"), page_of("lead@example.com")
    lead.goto(ask(engineer))
    assert_looks_right(engineer)
    assert_looks_right(lead)
    lead.get_by_label("Shorten to").fill("0")
    lead.get_by_role("button", name="Approve", exact=True).click()
    expect(lead.get_by_label("Shorten to")).to_be_focused()
    assert_looks_right(lead)
    lead.get_by_text("Deny…").click()
    lead.get_by_role("button", name="Deny this request").evaluate("b => b.form.noValidate = true")
    lead.get_by_role("button", name="Deny this request").click()
    expect(lead.get_by_text("Say why")).to_be_visible()
    assert_looks_right(lead)
    lead.get_by_role("button", name="Approve", exact=True).click()
    expect(lead.get_by_text("Approved:")).to_be_visible()
    assert_looks_right(lead)
    expect(engineer.get_by_role("button", name="Make my key now")).to_be_visible()
    assert_looks_right(engineer)


def test_the_pages_of_a_reissue_look_right(page_of: Callable[[str], Page], watch: Watch) -> None:
    watch.expect_status(409, 422)
    engineer, lead = page_of("engineer@example.com"), page_of("lead@example.com")
    old = ask(engineer)
    take_key(engineer)
    engineer.goto(f"{old}reissue/")
    expect(engineer.get_by_text("Sealed to this browser")).to_be_visible()
    assert_looks_right(engineer)
    lead.goto(f"{old}reissue/")
    assert_looks_right(lead)
    lead.get_by_label("The old key works on for").fill("5")
    lead.get_by_role("button", name="Renew the token").click()
    expect(lead.locator("#error-summary")).to_be_focused()
    assert_looks_right(lead)
    lead.get_by_label("The old key works on for").fill("3600")
    lead.get_by_role("button", name="Renew the token").click()
    expect_state(lead, "awaiting_recipient")
    assert_looks_right(lead)
    lead.goto(f"{old}reissue/")
    expect(lead.get_by_text("in its place already")).to_be_visible()
    assert_looks_right(lead)
    lead.goto(old)
    assert_looks_right(lead)


def test_a_key_is_renewed_by_the_keyboard_alone(page_of: Callable[[str], Page]) -> None:
    engineer = page_of("engineer@example.com")
    ask(engineer)
    take_key(engineer)
    engineer.reload()
    tab_to(engineer, "a[href$='/reissue/']")
    engineer.keyboard.press("Enter")
    expect(engineer.get_by_text("Sealed to this browser")).to_be_visible()
    tab_to(engineer, "#mode-overlap")
    engineer.keyboard.press("ArrowDown")
    engineer.keyboard.press("ArrowDown")
    expect(engineer.get_by_label("It has leaked")).to_be_checked()
    expect(engineer.get_by_label("The old key works on for")).to_be_hidden()
    tab_to(engineer, "[data-submit]")
    engineer.keyboard.press("Enter")
    key_on(engineer)
    take_key(engineer)
