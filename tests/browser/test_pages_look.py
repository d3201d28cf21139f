"""How the pages look and feel: contrast and names by axe, narrow screens, the keyboard alone."""

import re
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, StorageState, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right, tab_to
from tests.browser.steps import (
    expect_state,
    fill_in,
    key_on,
    new_name,
    open_act,
    says,
    submit,
    take_key,
)
from tests.browser.watch import Watch


@pytest.fixture
def new_page(new_context: Callable[..., BrowserContext], live: Live) -> Callable[..., Page]:
    """Makes a page of a fresh browser profile, without motion: no colour is caught half-way."""

    def new_page(**options: object) -> Page:
        return new_context(base_url=live.url, reduced_motion="reduce", **options).new_page()

    return new_page


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()


@pytest.fixture
def engineer(new_page: Callable[..., Page], session_of: Callable[[str], StorageState]) -> Page:
    return new_page(storage_state=session_of("engineer@example.com"))


@pytest.fixture
def person_without_grants(
    new_page: Callable[..., Page], session_of: Callable[[str], StorageState]
) -> Page:
    return new_page(storage_state=session_of("admin@example.com"))


def open_form(page: Page) -> None:
    """Open and fill in the form, and wait until its key pair is made."""
    page.goto("/tokens/new/")
    fill_in(page, new_name())
    expect(says(page, "Sealed to this browser")).to_be_visible()


def request_key(page: Page) -> str:
    """Request a token and wait for its key; returns the key."""
    open_form(page)
    submit(page)
    return key_on(page)


# -- Every page, both schemes, every width ------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        ("document.documentElement.lang = ''", "html-has-lang"),
        ("document.querySelector('h1').style.color = '#ccc'", "color-contrast"),
        (
            "document.querySelector('h1').style.background = 'linear-gradient(red, red)'",
            "color-contrast",
        ),
        ("document.querySelector('h1').style.inlineSize = '2000px'", "needs 20"),
    ],
)
def test_what_is_wrong_with_a_page_is_seen(page: Page, spoil: str, found: str) -> None:
    page.goto("/accounts/login/")
    page.evaluate(spoil)
    with pytest.raises(AssertionError, match=found):
        assert_looks_right(page)


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/login/",
        "/accounts/password/reset/",
        "/accounts/password/reset/done/",
        "/accounts/signup/",
    ],
)
def test_a_page_before_sign_in_looks_right(page: Page, path: str) -> None:
    page.goto(path)

    assert_looks_right(page)


def test_a_refused_sign_in_looks_right(page: Page) -> None:
    page.goto("/accounts/login/")
    page.fill("[name=login]", f"{uuid.uuid4()}@example.com")
    page.fill("[name=password]", "wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.get_by_role("alert")).to_be_visible()
    assert_looks_right(page)


@pytest.mark.parametrize("path", ["/accounts/logout/", "/accounts/password/change/"])
def test_an_account_page_looks_right(engineer: Page, path: str) -> None:
    engineer.goto(path)

    assert_looks_right(engineer)


def test_an_empty_list_leads_to_the_form(person_without_grants: Page, live: Live) -> None:
    page = person_without_grants
    page.goto("/tokens/")
    assert_looks_right(page)

    page.get_by_role("link", name="Request your first token").click()

    expect(page).to_have_url(f"{live.url}/tokens/new/")


def test_the_form_of_somebody_without_grants_looks_right(person_without_grants: Page) -> None:
    page = person_without_grants
    page.goto("/tokens/new/")

    expect(page.get_by_text("Nothing is granted to your teams yet")).to_be_visible()
    assert_looks_right(page)


def test_the_open_account_menu_looks_right(engineer: Page) -> None:
    engineer.goto("/tokens/")
    engineer.click("[data-menu] summary")

    expect(engineer.get_by_role("button", name="Sign out")).to_be_visible()
    assert_looks_right(engineer)


def test_the_fresh_form_looks_right(engineer: Page) -> None:
    open_form(engineer)

    assert_looks_right(engineer)


def test_the_form_with_errors_looks_right_and_its_summary_has_the_focus(
    engineer: Page, watch: Watch
) -> None:
    watch.expect_status(422)
    open_form(engineer)
    engineer.fill("[name=name]", "n" * 129)
    engineer.fill("[name=seconds_to_live]", "9999999999")
    engineer.fill("[name=reason]", "kept <as> typed")
    engineer.click("[data-testid=request-form] [type=submit]")

    summary = engineer.locator("#error-summary")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("listitem")).to_have_count(2)
    expect(engineer.locator("[name=name]")).to_have_attribute("aria-invalid", "true")
    expect(engineer.locator("[name=name]")).to_have_accessible_description(
        re.compile("this one has 129")
    )
    expect(engineer.locator("[name=reason]")).to_have_value("kept <as> typed")
    assert_looks_right(engineer)


def test_the_page_of_a_token_with_its_key_looks_right(engineer: Page) -> None:
    request_key(engineer)
    assert_looks_right(engineer)

    engineer.get_by_test_id("show-key").click()
    engineer.get_by_role("tab", name="Python").click()
    assert_looks_right(engineer)


def test_the_record_and_the_filled_list_look_right(engineer: Page) -> None:
    request_key(engineer)
    take_key(engineer)
    engineer.reload()
    open_act(engineer, "Revoke…")
    assert_looks_right(engineer)

    engineer.goto("/tokens/")

    expect(engineer.get_by_test_id("tokens-table")).to_be_visible()
    assert_looks_right(engineer)


def test_every_state_and_role_can_be_read(engineer: Page) -> None:
    request_key(engineer)
    engineer.evaluate(
        """() => {
          const labels = JSON.parse(document.getElementById("state-labels").textContent);
          const badge = (className, text, state) => {
            const element = document.createElement("span");
            element.className = `badge ${className}`;
            element.textContent = text;
            if (state) element.dataset.state = state;
            return element;
          };
          document.querySelector(".token-where").append(
            ...Object.entries(labels).map(([state, text]) => badge("state", text, state)),
            ...["admin", "editor", "viewer"].map((role) => badge(`role role-${role}`, role)),
          );
        }"""
    )

    expect(engineer.locator(".token-where .badge")).to_have_count(12 + 3 + 2)
    assert_looks_right(engineer)


def test_a_page_that_does_not_exist_looks_right(engineer: Page, watch: Watch) -> None:
    watch.expect_status(404)
    engineer.goto(f"/tokens/{uuid.uuid4()}/")

    expect(engineer.get_by_role("heading", name="Nothing here")).to_be_visible()
    assert_looks_right(engineer)


def test_a_form_that_is_too_old_says_so(page: Page, watch: Watch) -> None:
    watch.expect_status(403)
    page.goto("/accounts/login/")
    page.fill("[name=login]", "engineer@example.com")
    page.fill("[name=password]", "any")
    page.context.clear_cookies()
    page.click("main [type=submit]")

    expect(page.get_by_role("heading", name="This form is too old")).to_be_visible()
    assert_looks_right(page)


def test_coming_too_late_looks_right(engineer: Page, watch: Watch) -> None:
    watch.expect_status(409)
    request_key(engineer)
    take_key(engineer)
    address = engineer.url
    late = engineer.context.new_page()
    late.goto(address)
    open_act(late, "Revoke…")
    engineer.reload()
    open_act(engineer, "Revoke…")
    engineer.get_by_role("button", name="Revoke this token").click()
    expect_state(engineer, "revoked")

    late.get_by_role("button", name="Revoke this token").click()

    expect(late.get_by_role("heading", name="be revoked any more")).to_be_visible()
    assert_looks_right(late)


# -- By hand, without a mouse -------------------------------------------------------------------


def test_the_way_from_request_to_copy_needs_the_keyboard_alone(engineer: Page) -> None:
    page = engineer
    page.goto("/tokens/new/")
    for name in ("workspace", "service_account"):
        tab_to(page, f"[name={name}]")
        page.keyboard.press("ArrowDown")
        expect(page.locator(f"[name={name}]")).not_to_have_value("")
        expect(page.locator("[name=service_account] option").nth(1)).to_be_attached()
    tab_to(page, "[data-seconds='3600']")
    page.keyboard.press("Space")
    expect(page.locator("[name=seconds_to_live]")).to_have_value("1h")
    expect(page.locator("[data-ends]")).to_contain_text("Europe/Berlin")
    tab_to(page, "[data-submit]")
    page.keyboard.press("Enter")

    key = key_on(page)
    tab_to(page, "[data-testid=show-key]")
    page.keyboard.press("Space")
    expect(page.get_by_test_id("show-key")).to_have_attribute("aria-pressed", "true")
    tab_to(page, "[data-testid=copy-key]")
    page.keyboard.press("Enter")

    expect(says(page, "Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key


def test_the_snippets_tabs_follow_the_arrow_keys(engineer: Page) -> None:
    request_key(engineer)
    tab_to(engineer, "[role=tab]")

    for key, name in (("ArrowLeft", "Vault"), ("ArrowLeft", "Parameter Store"), ("Home", "curl")):
        engineer.keyboard.press(key)
        expect(engineer.get_by_role("tab", name=name)).to_be_focused()
        expect(engineer.get_by_role("tabpanel", name=name)).to_be_visible()


def test_a_hidden_key_is_not_read_out(engineer: Page) -> None:
    request_key(engineer)
    expect(engineer.get_by_test_id("token-key")).to_have_attribute("aria-hidden", "true")
    assert engineer.get_by_test_id("token-key").evaluate("e => getComputedStyle(e).color") == (
        "rgba(0, 0, 0, 0)"
    )

    engineer.get_by_test_id("show-key").click()

    expect(engineer.get_by_test_id("token-key")).not_to_have_attribute("aria-hidden", "true")
