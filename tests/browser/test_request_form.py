"""The request form: nothing typed is lost, and nothing is sent that can't be answered."""

import re
import time
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, StorageState, expect

from tests.browser.live import Live
from tests.browser.steps import (
    HELD_KEY_PAIR,
    TOKEN_PAGE,
    expect_chosen,
    fill_in,
    new_name,
    open_form,
    request_token,
    submit,
    take_key,
)
from tests.browser.watch import Watch
from tests.grafana.sandbox_process import STAGING

MONTH = 30 * 86_400


def send(page: Page) -> None:
    """Send a form that is not going to be accepted."""
    with page.expect_response(re.compile(r"/tokens/new/$")) as answered:
        page.get_by_role("button", name="Request token").click()
    assert answered.value.status == 422


def error_beside(page: Page, label: str) -> Locator:
    """What stands beside the field, and is read out with it."""
    field = page.get_by_label(label, exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    described = (field.get_attribute("aria-describedby") or "").split()
    [error] = [name for name in described if name.endswith("_error")]
    return page.locator(f"#{error}")


def typed_in(page: Page) -> dict[str, str]:
    return {
        label: page.get_by_label(label, exact=label != "What uses it").input_value()
        for label in ("Name", "Lifetime", "What uses it")
    }


TAKEN = "the name of a token that lives"


@pytest.mark.parametrize(
    ("label", "wrong", "words"),
    [
        pytest.param("Name", TAKEN, "is in use in this workspace. Choose another.", id="taken"),
        pytest.param(
            "Name",
            "x" * 129,
            "A name has at most 128 characters; this one has 129.",
            id="name too long",
        ),
        pytest.param("Lifetime", str(MONTH + 1), "30 days", id="lifetime too long"),
    ],
)
def test_an_error_stands_beside_its_field_and_nothing_typed_is_lost(
    engineer: Page, watch: Watch, label: str, wrong: str, words: str
) -> None:
    watch.expect_status(422)
    if wrong == TAKEN:
        wrong = request_token(engineer)
        take_key(engineer)
    open_form(engineer)
    fill_in(engineer, new_name(), account="status-page", lifetime="7 days", reason="a wall screen")
    engineer.get_by_label(label, exact=label == "Name").fill(wrong)
    typed = typed_in(engineer)
    send(engineer)

    expect(error_beside(engineer, label)).to_contain_text(words)
    summary = engineer.get_by_role("alert").filter(has_text=words)
    expect(summary).to_be_focused()
    expect_chosen(engineer, "Workspace", "observability-prod")
    expect_chosen(engineer, "Service account", "status-page")
    assert typed_in(engineer) == typed


def test_a_form_that_was_mended_is_taken(live: Live, engineer: Page, watch: Watch) -> None:
    watch.expect_status(422)
    open_form(engineer)
    fill_in(engineer, "x" * 129)
    send(engineer)
    name = engineer.get_by_label("Name", exact=True)
    engineer.get_by_role("alert").get_by_role("link", name="at most 128 characters").click()
    expect(name).to_be_focused()
    name.fill(new_name())
    submit(engineer)
    assert live.answers_to(take_key(engineer)) == 200


def test_the_answer_to_a_form_with_errors_does_not_send_the_public_key_back(
    engineer: Page, watch: Watch
) -> None:
    watch.expect_status(422)
    open_form(engineer)
    fill_in(engineer, "x" * 129)
    with engineer.expect_response(re.compile(r"/tokens/new/$")) as answered:
        engineer.get_by_role("button", name="Request token").click()
    assert 'name="public_key" value=""' in answered.value.text()


CLICK_ONCE_MORE = """
(button) => button.form.addEventListener(
  "submit", () => setTimeout(() => button.click(), 100), { once: true },
)
"""


def test_impatient_clicks_ask_for_one_token(live: Live, engineer: Page) -> None:
    posts: list[str] = []

    def answer_late(route: Route) -> None:
        if route.request.method == "POST":
            posts.append(route.request.url)
            time.sleep(0.2)  # longer than the last click takes
        route.continue_()

    name = new_name()
    open_form(engineer)
    fill_in(engineer, name)
    engineer.route("**/tokens/new/", answer_late)
    button = engineer.get_by_role("button", name="Request token")
    button.evaluate(CLICK_ONCE_MORE)
    button.dblclick()
    expect(engineer).to_have_url(TOKEN_PAGE)
    take_key(engineer)
    assert len(posts) == 1
    assert len(live.sandbox.live_tokens(name=name)) == 1
    engineer.get_by_role("link", name="My tokens").first.click()
    rows = engineer.get_by_test_id("tokens-table").get_by_role("row").filter(has_text=name)
    expect(rows).to_have_count(1)


def test_a_form_sent_before_its_key_pair_is_made_waits_for_it(engineer: Page) -> None:
    engineer.add_init_script(HELD_KEY_PAIR)
    open_form(engineer)
    fill_in(engineer, new_name())
    engineer.get_by_role("button", name="Request token").click()
    expect(engineer.get_by_role("status").filter(has_text="Finishing the key pair")).to_be_visible()
    engineer.evaluate("finishKeyPair()")
    expect(engineer).to_have_url(TOKEN_PAGE)
    take_key(engineer)


def test_a_browser_that_cannot_keep_a_key_pair_is_told_so_before_anything_is_sent(
    engineer: Page,
) -> None:
    engineer.add_init_script("indexedDB.open = () => { throw new DOMException('refused') }")
    open_form(engineer)
    expect(engineer.get_by_role("alert")).to_contain_text("keep a key pair")
    expect(engineer.get_by_role("button", name="Request token")).to_be_disabled()


def test_without_javascript_the_form_says_so_and_cannot_be_sent(
    live: Live,
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
) -> None:
    context = new_context(
        java_script_enabled=False, storage_state=session_of("engineer@example.com")
    )
    page = context.new_page()
    page.goto(f"{live.url}/tokens/new/")
    # Playwright's locators by text pass over <noscript>.
    note = page.locator("noscript strong", has_text="This page needs JavaScript.")
    expect(note).to_be_visible()
    expect(page.get_by_role("button", name="Request token")).to_be_disabled()
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page).to_have_url(f"{live.url}/tokens/new/")


def test_a_link_fills_in_the_form(live: Live, engineer: Page) -> None:
    name = new_name()
    wish = {
        "workspace": STAGING,
        "service_account": account_id(engineer, "observability-staging", "load-tests"),
        "name": name,
        "seconds_to_live": "5400",
        "reason": "nightly <build> & “test”",
    }
    engineer.goto(f"{live.url}/tokens/new/?{urlencode(wish)}")
    expect_chosen(engineer, "Workspace", "observability-staging")
    expect_chosen(engineer, "Service account", "load-tests")
    expect(engineer.get_by_label("Name", exact=True)).to_have_value(name)
    expect(engineer.get_by_label("Lifetime", exact=True)).to_have_value("5400")
    expect(engineer.get_by_label("What uses it")).to_have_value(wish["reason"])
    expect(engineer.get_by_text("A link filled this in.")).to_be_visible()
    ends = re.compile(r"Ends .+ Europe/Berlin · .+ UTC — if issued now")
    expect(engineer.get_by_text(ends)).to_be_visible()
    submit(engineer)
    take_key(engineer)
    record = engineer.get_by_role("region", name="Record")
    expect(record).to_contain_text("1 hour 30 minutes")
    expect(record).to_contain_text("observability-staging")


def account_id(page: Page, workspace: str, account: str) -> str:
    """The id by which the form knows a service account."""
    open_form(page)
    fill_in(page, "", workspace=workspace, account=account)
    return page.get_by_label("Service account").input_value()


def test_the_chosen_lifetime_can_be_read_under_the_pointer(engineer: Page) -> None:
    open_form(engineer)
    chosen = engineer.get_by_role("button", name="1 hour", exact=True)
    chosen.click()  # the pointer stays there
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(chosen).to_have_css("color", "rgb(255, 255, 255)")
    expect(chosen).to_have_css("background-color", "rgb(9, 63, 69)")
