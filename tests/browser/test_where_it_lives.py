"""Beside a key: where it was put, its words, its first use; and an end that can be stopped."""

import re
import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, StorageState, expect

from portal import prints
from tests.browser.live import Live
from tests.browser.looks import assert_looks_right
from tests.browser.steps import (
    TOKEN_PAGE,
    expect_message,
    expect_state,
    key_element,
    key_on,
    new_name,
    open_act,
    request_token,
    says,
    take_key,
)
from tests.browser.watch import Watch


@pytest.fixture
def still(
    new_context: Callable[..., BrowserContext],
    live: Live,
    session_of: Callable[[str], StorageState],
) -> Page:
    """The engineer, without motion, for how the pages look."""
    context = new_context(reduced_motion="reduce", storage_state=session_of("engineer@example.com"))
    page = context.new_page()
    page.goto(f"{live.url}/tokens/")
    return page


def places(page: Page) -> list[str]:
    return page.get_by_test_id("places").locator(".place").all_text_contents()


def copy_snippet(page: Page, title: str) -> None:
    page.get_by_role("tab", name=title, exact=True).click()
    page.get_by_role("button", name=f"Copy {title}", exact=True).click()
    expect(says(page, f"{title} snippet copied")).to_be_visible()


# -- Where it lives -------------------------------------------------------------------------------


def test_one_tap_after_copy_writes_down_where_the_key_was_put_and_the_key_stays(
    live: Live, still: Page
) -> None:
    page = still
    name = request_token(page, new_name())
    key = take_key(page)
    where = page.get_by_role("region", name="Where it lives")
    copy_snippet(page, "Kubernetes")
    chip = where.get_by_role("button", name=f"Kubernetes secret grafana-{name}")
    chip.click()
    expect(page.get_by_test_id("places")).to_contain_text(f"Kubernetes secret grafana-{name}")
    copy_snippet(page, "GitHub")
    text = where.get_by_role("textbox", name="Another place")
    expect(text).to_have_value("GitHub ")
    text.press("End")
    text.press_sequentially("acme/dash")
    text.press("Enter")
    expect(page.get_by_test_id("places")).to_contain_text("GitHub acme/dash")
    assert places(page) == [f"Kubernetes secret grafana-{name}", "GitHub acme/dash"]
    expect(key_element(page)).to_be_visible()
    assert key_on(page) == key
    assert_looks_right(page)
    page.goto(f"{live.url}/tokens/")
    row = page.get_by_test_id("tokens-table").get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text(f"at Kubernetes secret grafana-{name}, GitHub acme/dash")
    assert_looks_right(page)


def test_a_key_that_is_pasted_as_its_place_is_refused(engineer: Page, watch: Watch) -> None:
    watch.expect_status(422)
    request_token(engineer)
    key = take_key(engineer)
    text = engineer.get_by_role("textbox", name="Place", exact=True)
    text.fill(key)
    text.press("Enter")
    trouble = engineer.locator("[data-place-trouble]")
    expect(trouble).to_contain_text("looks like a key")
    text.fill("a laptop")
    text.press("Enter")
    expect(engineer.get_by_test_id("places")).to_contain_text("a laptop")
    engineer.get_by_role("button", name="Remove a laptop").click()
    expect(engineer.get_by_test_id("places")).to_have_count(0)


def test_without_a_script_places_are_written_down_by_plain_forms(
    live: Live,
    engineer: Page,
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    watch: Watch,
) -> None:
    watch.expect_status(422)
    request_token(engineer)
    take_key(engineer)
    plain = new_context(
        java_script_enabled=False, storage_state=session_of("engineer@example.com")
    ).new_page()
    plain.goto(engineer.url)
    plain.locator("#place-text").fill("eks-prod-7")
    plain.get_by_role("button", name="Write it down").click()
    expect(plain).to_have_url(re.compile(r"/tokens/[0-9a-f-]{36}/#places$"))
    assert places(plain) == ["eks-prod-7"]
    plain.locator("#place-text").fill("glsa_")
    plain.get_by_role("button", name="Write it down").click()
    expect(plain.locator("#place-text")).to_have_value("glsa_")
    expect(plain.locator("#places")).to_contain_text("never the key")


# -- Three words ----------------------------------------------------------------------------------


def test_page_json_and_command_say_the_same_three_words_of_a_key(
    live: Live, engineer: Page
) -> None:
    request_token(engineer)
    key = take_key(engineer)
    expect(engineer.get_by_test_id("print")).to_have_text(re.compile(r"^[a-z]+-[a-z]+-[a-z]+$"))
    words = engineer.get_by_test_id("print").text_content()
    said = engineer.request.get(f"{engineer.url}print/").json()["print"]
    engineer.get_by_text("Which secret has this key?").click()
    command = engineer.get_by_label("Command that prints the three words of a key").text_content()
    ran = subprocess.run(
        ["bash", "-c", command or ""],
        input=f"{key}\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert words == said == ran.stdout.strip()
    assert command is not None
    assert command.strip() == prints.command().strip()


# -- With notice ----------------------------------------------------------------------------------


def give_notice(page: Page, reason: str) -> None:
    open_act(page, "End with notice…")
    form = page.locator("#notice form")
    form.get_by_label("Reason").fill(reason)
    form.get_by_role("button", name="End it with notice").click()


def test_an_open_page_learns_of_notice_and_one_press_keeps_the_token(
    live: Live, still: Page, page_of: Callable[[str], Page]
) -> None:
    page = still
    request_token(page)
    take_key(page)
    page.get_by_role("textbox", name="Place", exact=True).fill("eks-prod-7")
    page.get_by_role("button", name="Write it down").click()
    expect(page.get_by_test_id("places")).to_contain_text("eks-prod-7")
    lead = page_of("lead@example.com")
    lead.goto(page.url)
    give_notice(lead, "the job is gone")
    expect(lead.get_by_role("region", name=re.compile("unless somebody keeps it"))).to_be_visible()
    notice = page.get_by_role("region", name=re.compile("unless somebody keeps it"))
    expect(notice).to_contain_text("lead@example.com gave notice: the job is gone")
    expect(notice).to_contain_text("It lives at eks-prod-7")
    assert_looks_right(page)
    page.set_viewport_size({"width": 1000, "height": 800})
    page.reload()
    page.get_by_role("button", name="Keep it: this is in use").click()
    expect(page).to_have_url(TOKEN_PAGE)
    expect(notice).to_have_count(0)
    expect_state(page, "active")
    lead.reload()
    expect_message(lead, "The key was delivered.")


def test_the_form_for_notice_looks_right_and_says_what_it_understood(still: Page) -> None:
    request_token(still)
    take_key(still)
    open_act(still, "End with notice…")
    field = still.locator("#notice-time")
    expect(field).to_have_value("30m")
    still.locator("#notice").get_by_role("button", name="2 hours").click()
    expect(field).to_have_value("2h")
    expect(still.locator("#notice [data-understood]")).to_contain_text("= 2 hours")
    assert_looks_right(still)


def test_a_lead_gives_notice_of_what_was_chosen_on_the_desk(
    engineer: Page,
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    live: Live,
) -> None:
    name = request_token(engineer)
    take_key(engineer)
    session = session_of("lead@example.com")
    lead = new_context(reduced_motion="reduce", storage_state=session).new_page()
    lead.goto(f"{live.url}/team/platform/?q={name}")
    lead.get_by_label(f"Choose {name}").check()
    lead.get_by_role("button", name="Revoke the chosen…").click()
    lead.get_by_label("In 30 minutes").check()
    assert_looks_right(lead)
    lead.set_viewport_size({"width": 1000, "height": 800})
    lead.get_by_label("Reason").fill("moving")
    lead.get_by_role("button", name="Revoke 1 token").click()
    expect(lead.get_by_text("1 of 1: notice was given.")).to_be_visible()
    expect(lead.locator("[data-end-again]")).to_be_hidden()
    row = lead.get_by_test_id("tokens-table").get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("with notice")
