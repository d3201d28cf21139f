"""While a key is being made: progress, reasons, and pages that come and go."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import (
    expect_message,
    expect_no_key,
    expect_state,
    key_on,
    new_name,
    request_token,
    stored_records,
    take_key,
)
from tests.browser.watch import Watch


def current_step(page: Page) -> str:
    return page.get_by_label("Progress").locator("[aria-current=step]").inner_text()


def test_progress_is_shown_while_aws_is_slow(live: Live, engineer: Page) -> None:
    live.hold_aws()
    request_token(engineer)
    expect_state(engineer, "issuing")
    expect_message(engineer, "AWS is making the token.")
    assert current_step(engineer) == "Calling AWS"
    expect_no_key(engineer)
    live.let_aws_go()
    key_on(engineer)
    expect_state(engineer, "active")
    assert current_step(engineer) == "Ready"
    expect_message(engineer, "Ready.")


def test_a_reload_while_aws_is_called_still_ends_with_the_key(live: Live, engineer: Page) -> None:
    live.hold_aws()
    request_token(engineer)
    expect_state(engineer, "issuing")
    engineer.reload()
    expect_state(engineer, "issuing")
    live.let_aws_go()
    assert live.answers_to(take_key(engineer)) == 200


def test_who_leaves_while_the_key_is_made_takes_it_later(live: Live, engineer: Page) -> None:
    live.hold_aws()
    name = request_token(engineer)
    engineer.get_by_role("link", name="My tokens").first.click()
    row = engineer.get_by_test_id("tokens-table").get_by_role("row").filter(has_text=name)
    expect(row).to_be_visible()
    live.let_aws_go()
    row.get_by_role("link", name=name).click()
    assert live.answers_to(take_key(engineer)) == 200


def test_of_two_tabs_one_shows_the_key_and_the_other_says_so(live: Live, engineer: Page) -> None:
    live.hold_aws()
    request_token(engineer)
    expect_state(engineer, "issuing")
    second = engineer.context.new_page()
    second.goto(engineer.url)
    notice = second.get_by_role("alert").filter(has_text="Another tab")
    expect(notice).to_have_text(
        "Another tab of this browser is opening the key. It is shown there."
    )
    live.let_aws_go()
    key_on(engineer)
    expect_state(second, "active")
    expect(notice).to_be_visible()
    expect_no_key(second)


def test_a_second_tab_takes_over_when_the_first_is_closed(live: Live, engineer: Page) -> None:
    live.hold_aws()
    request_token(engineer)
    second = engineer.context.new_page()
    second.goto(engineer.url)
    expect(second.get_by_role("alert")).to_contain_text("Another tab")
    engineer.close()
    live.let_aws_go()
    assert live.answers_to(take_key(second)) == 200
    assert stored_records(second) == []


def test_who_is_signed_out_meanwhile_signs_in_again_and_gets_the_key(
    live: Live, engineer: Page, watch: Watch
) -> None:
    watch.expect_status(401)
    live.hold_aws()
    request_token(engineer)
    url = engineer.url
    engineer.context.clear_cookies()  # as when the session is over
    live.let_aws_go()
    expect(engineer.get_by_role("alert")).to_contain_text("You are signed out.")
    engineer.get_by_role("link", name="Sign in again").click()
    engineer.get_by_label("Email").fill("engineer@example.com")
    engineer.get_by_label("Password").fill(live.product.password)
    engineer.get_by_role("button", name="Sign in").click()
    expect(engineer).to_have_url(url)
    assert live.answers_to(take_key(engineer)) == 200


def test_who_signs_in_anew_in_another_tab_meanwhile_gets_the_key(
    live: Live, engineer: Page, watch: Watch
) -> None:
    """A sign-in changes the token against forged requests, and the waiting page has the old one."""
    watch.expect_status(401, 403)
    live.hold_aws()
    request_token(engineer)
    expect_state(engineer, "issuing")
    engineer.context.clear_cookies()
    live.sign_in(engineer.context.new_page(), "engineer@example.com")
    live.let_aws_go()
    assert live.answers_to(take_key(engineer)) == 200


def test_a_page_that_was_signed_out_goes_on_once_its_person_has_signed_in_in_another_tab(
    live: Live, engineer: Page, watch: Watch
) -> None:
    watch.expect_status(401)
    live.hold_aws()
    request_token(engineer)
    engineer.context.clear_cookies()
    live.let_aws_go()
    expect(engineer.get_by_role("alert")).to_contain_text("You are signed out.")
    expect_no_key(engineer)
    live.sign_in(engineer.context.new_page(), "engineer@example.com")
    assert live.answers_to(take_key(engineer)) == 200


def test_a_request_is_withdrawn_while_aws_is_called_and_leaves_no_token(
    live: Live, engineer: Page, watch: Watch
) -> None:
    watch.expect_status(410)
    live.hold_aws()
    name = request_token(engineer)
    expect_state(engineer, "issuing")
    engineer.get_by_text("Withdraw the request…").click()
    engineer.get_by_role("button", name="Withdraw this request").click()
    expect_message(engineer, "The request is being withdrawn")
    live.let_aws_go()
    expect_state(engineer, "revoked")
    expect_no_key(engineer)
    assert live.sandbox.live_tokens(name=name) == []
    assert stored_records(engineer) == []


@pytest.mark.parametrize(
    ("code", "happened", "next_step"),
    [
        pytest.param(
            "ConflictException",
            "AWS is changing the workspace, and makes no token meanwhile.",
            "tries again by itself",
            id="ConflictException",
        ),
        pytest.param(
            "InternalServerException",
            "AWS had an internal error, and did not say whether it made a token.",
            "removes what may have been made, and tries again",
            id="InternalServerException",
        ),
        pytest.param(
            "ThrottlingException",
            "AWS asks us to slow down.",
            "tries again when AWS allows it",
            id="ThrottlingException",
        ),
    ],
)
def test_a_refusal_that_may_pass_is_explained_and_the_request_goes_on_by_itself(
    live: Live, engineer: Page, code: str, happened: str, next_step: str
) -> None:
    name = new_name()
    live.refuse(name, code, headers={"Retry-After": "1"})
    request_token(engineer, name)
    expect_message(engineer, happened)
    expect_message(engineer, next_step)
    expect_message(engineer, re.compile("|".join(live.request_ids(name))))
    expect_no_key(engineer)

    engineer.reload()
    expect_message(engineer, happened)

    live.sandbox.clear_faults()
    assert live.answers_to(take_key(engineer)) == 200
    assert len(live.sandbox.live_tokens(name=name)) == 1


def test_a_throttled_request_is_withdrawn_and_asked_for_again(
    live: Live, engineer: Page, watch: Watch
) -> None:
    watch.expect_status(410)
    name = new_name()
    live.refuse(name, "ThrottlingException", headers={"Retry-After": "60"})
    request_token(engineer, name, reason="nightly build")
    expect_message(engineer, "AWS asks us to slow down.")
    engineer.get_by_text("Withdraw the request…").click()
    engineer.get_by_label("Reason").fill("wrong account")
    engineer.get_by_role("button", name="Withdraw this request").click()
    expect_state(engineer, "cancelled")
    expect_message(engineer, "The request was withdrawn by engineer@example.com: wrong account.")
    expect_no_key(engineer)
    assert stored_records(engineer) == []
    engineer.get_by_role("link", name="Request it again").click()
    expect(engineer.get_by_label("What uses it")).to_have_value("nightly build")
