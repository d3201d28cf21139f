"""Mails and the pages about them, a permission and a hold: they look right, and need no mouse."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from portal.letters import as_html
from tests.browser.looks import assert_looks_right, picture, tab_to
from tests.browser.steps import request_token, take_key
from tests.browser.watch import Watch
from tests.grafana.sandbox_process import PROD

MAIL = """
Your token ends on 2026-12-24 at 10:00 UTC. What uses it then stops working.

Platform
--------

  Ends within 7 days: 2
    ci-deploy of engineer@example.com, Thu 2026-12-24 10:00 UTC
    a-name-that-is-as-long-as-a-name-may-be-and-has-no-blank-in-it-anywhere-at-all of a@example.com

  Token            ci-deploy
  Service account  deployer (EDITOR)
  Workspace        observability-production (g-00000000a1)
  Owner            engineer@example.com

  the laptop was lost

Renew it:
https://tokens.example.com/tokens/00000000-0000-0000-0000-000000000000/reissue/

--
Sent by the token portal to engineer@example.com. No mail of this portal ever holds a key.
"""


def test_a_mail_looks_right_in_both_themes(
    new_context: Callable[..., BrowserContext],
) -> None:
    page = new_context().new_page()
    page.set_content(
        as_html("Ends in 7 days: ci-deploy", MAIL, links_to="https://tokens.example.com")
    )
    assert_looks_right(page)
    expect(page.get_by_role("link", name="Renew it")).to_be_visible()
    picture(page, "mail")


def test_mails_are_chosen_by_keyboard(page_as: Callable[[str], Page]) -> None:
    page = page_as("lead@example.com")
    page.goto("/accounts/mails/")
    assert_looks_right(page)
    picture(page, "mails")
    box = page.get_by_role("checkbox", name="The digest on Monday mornings")
    was = box.is_checked()
    tab_to(page, "#topic-digest")
    page.keyboard.press("Space")
    tab_to(page, "form[data-testid=mails-form] button")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Kept: from now on")).to_be_visible()
    assert page.get_by_role("checkbox", name="The digest on Monday mornings").is_checked() != was


def test_whether_mails_go_out_looks_right(page_as: Callable[[str], Page]) -> None:
    page = page_as("admin@example.com")
    page.goto("/accounts/mails/sending/")
    expect(page.get_by_role("heading", name="Whether mails and webhooks go out")).to_be_visible()
    assert_looks_right(page)
    picture(page, "sending")


def test_a_team_s_days_are_mended_beside_their_field(
    page_as: Callable[[str], Page], watch: Watch
) -> None:
    watch.expect_status(422)
    page = page_as("lead@example.com")
    page.goto("/team/platform/")
    page.get_by_role("link", name="Mails before an end").click()
    assert_looks_right(page)
    field = page.get_by_label("Days before a token ends")
    field.fill("a week")
    page.keyboard.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("a week")
    assert_looks_right(page)
    picture(page, "days")


def test_a_permission_is_given_and_withdrawn(page_as: Callable[[str], Page]) -> None:
    page = page_as("admin@example.com")
    page.goto(f"/inventory/?workspace={PROD}")
    gauge = page.get_by_test_id("quota")
    gauge.get_by_text("Remove expired ones by itself").click()
    assert_looks_right(page)
    picture(page, "permission")
    gauge.get_by_role("button", name="Permit it").click()
    expect(gauge.get_by_text("admin@example.com permits it since")).to_be_visible()
    assert_looks_right(page)
    gauge.get_by_role("button", name="Withdraw the permission").click()
    expect(gauge.get_by_text("permits it since")).to_have_count(0)


def test_a_hold_is_asked_for_beside_the_overlap(page_as: Callable[[str], Page]) -> None:
    page = page_as("engineer@example.com")
    page.goto("/tokens/")
    request_token(page)
    take_key(page)
    page.get_by_role("link", name="Renew").click()
    field = page.get_by_label("Then hold it until it was not used for")
    page.get_by_role("group", name="Times without use to pick from").get_by_text("1 day").click()
    expect(field).to_have_value("1d")
    expect(page.get_by_text("until Grafana has seen no use of it")).to_be_visible()
    assert_looks_right(page)
    picture(page, "hold")
