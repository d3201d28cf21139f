"""Journeys with two people: a lead agrees and the engineer collects; a token is rotated."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import (
    TOKEN_PAGE,
    expect_message,
    expect_no_key,
    expect_state,
    fill_in,
    key_on,
    new_name,
    open_form,
    request_token,
    submit,
    take_key,
)
from tests.browser.watch import Watch
from tests.product import within

END_OVERLAPS = """
from django.db.models.functions import Now
from portal.models import Token
Token.objects.filter(name="{name}").update(revoke_at=Now())
"""

ASKED_LONG_AGO = """
from datetime import timedelta
from django.utils import timezone
from portal.models import Notice
Notice.objects.filter(token__name="{name}").update(created_at=timezone.now() - timedelta(hours=2))
"""


def address(page: Page) -> str:
    return page.url.partition("?")[0]


@pytest.mark.usefixtures("approval_is_asked")
def test_a_lead_approves_and_the_engineer_collects_the_key(
    live: Live, engineer: Page, page_of: Callable[[str], Page], watch: Watch
) -> None:
    watch.expect_status(422)
    open_form(engineer)
    fill_in(engineer, new_name(), lifetime="1 day", reason="nightly deploys")
    expect(engineer.get_by_text("Needs approval.")).to_be_visible()
    submit(engineer)
    expect_state(engineer, "awaiting_approval")
    expect_no_key(engineer)
    waiting = engineer.get_by_role("region", name="Who decides")
    expect(waiting).to_contain_text("lead@example.com has to agree. Mailed")
    expect(waiting.get_by_label("A link to send them")).to_have_value(engineer.url)

    lead = page_of("lead@example.com")
    expect(lead.get_by_role("link", name="Team 1 to approve")).to_be_visible()
    lead.goto(address(engineer))
    answer = lead.get_by_role("region", name="do you agree?")
    for words in ("engineer@example.com", "dashboards-ci", "1 day", "nightly deploys"):
        expect(answer).to_contain_text(words)
    lead.get_by_label("Shorten to").fill("90000")
    lead.get_by_role("button", name="Approve", exact=True).click()
    expect(lead.get_by_text("not lengthen it")).to_be_visible()
    lead.get_by_label("Shorten to").fill("60m")
    expect(lead.locator("[data-understood]").first).to_contain_text("= 1 hour")
    lead.get_by_role("button", name="Approve", exact=True).click()
    expect(lead).to_have_url(re.compile(r"/team/platform/\?answered=[0-9a-f-]+#answered$"))
    expect(lead.get_by_text("for 1 hour instead of 1 day")).to_be_visible()
    expect(lead.get_by_role("button", name="Undo, until it is collected")).to_be_visible()
    lead.goto(address(engineer))
    expect_state(lead, "awaiting_recipient")
    expect_no_key(lead)
    expect(lead.get_by_role("button", name="Make my key now")).to_have_count(0)

    # The page that was left open sees it by itself.
    collect = engineer.get_by_role("button", name="Make my key now")
    expect(collect).to_be_visible()
    expect(engineer.get_by_role("region", name="Your token can be made now")).to_contain_text(
        "1 hour"
    )
    expect(
        engineer.get_by_text("lead@example.com agreed, for 1 hour instead of 1 day")
    ).to_be_visible()
    collect.click()
    key = take_key(engineer)
    assert live.answers_to(key) == 200
    expect_state(engineer, "active")
    lead.reload()
    expect_state(lead, "active")
    expect_no_key(lead)


@pytest.mark.usefixtures("approval_is_asked")
def test_a_denied_engineer_is_told_why(
    live: Live, engineer: Page, page_of: Callable[[str], Page]
) -> None:
    name = request_token(engineer)
    expect(engineer.get_by_text("After an hour without an answer")).to_be_visible()
    live.run(ASKED_LONG_AGO.format(name=name))
    engineer.reload()
    engineer.get_by_role("button", name="Remind them").click()
    expect(engineer.get_by_text("After an hour without an answer")).to_be_visible()
    lead = page_of("lead@example.com")
    lead.goto(address(engineer))
    lead.get_by_text("Deny…").click()
    lead.get_by_label("Reason", exact=True).fill("use the viewer account")
    lead.get_by_role("button", name="Deny this request").click()
    expect(lead.get_by_text("Denied:")).to_be_visible()
    expect_message(engineer, "denied by lead@example.com: use the viewer account")


def test_a_lead_rotates_a_token_its_owner_collects_the_new_key_and_the_old_one_ends(
    live: Live, engineer: Page, page_of: Callable[[str], Page]
) -> None:
    name = request_token(engineer, reason="CI of grafana-backup-nightly")
    old_key, old_page = take_key(engineer), address(engineer)

    lead = page_of("lead@example.com")
    lead.goto(old_page)
    lead.get_by_role("link", name="Renew").click()
    expect(lead.get_by_label("Nothing: renew it")).to_be_checked()
    expect(lead.get_by_label("engineer@example.com, its owner")).to_be_checked()
    expect(lead.get_by_role("complementary")).to_contain_text(f"{name}-2 takes the place of {name}")
    lead.get_by_role("group", name="Overlaps").get_by_role("button", name="1 hour").click()
    expect(lead.get_by_text("works on until 1 hour after the new key was taken")).to_be_visible()
    lead.locator("#id_reason").fill("spring cleaning")
    lead.get_by_role("button", name="Renew the token").click()
    expect(lead).to_have_url(TOKEN_PAGE)
    expect_state(lead, "awaiting_recipient")
    expect_no_key(lead)
    new_page = address(lead)

    engineer.goto(new_page)
    engineer.get_by_role("button", name="Make my key now").click()
    new_key = take_key(engineer)
    assert (live.answers_to(old_key), live.answers_to(new_key)) == (200, 200)
    record = engineer.get_by_role("region", name="Record")
    expect(record).to_contain_text(re.compile("What uses it.*CI of grafana-backup-nightly"))
    expect(record).to_contain_text(re.compile("Why this change.*spring cleaning"))
    for page, path in ((engineer, "/tokens/"), (lead, f"/team/platform/?q={name}")):
        page.goto(f"{live.url}{path}")
        row = (
            page.get_by_test_id("tokens-table")
            .get_by_role("row")
            .filter(has=page.get_by_role("link", name=name, exact=True))
        )
        expect(row).to_contain_text(re.compile("in (1 hour|59 minutes|60 minutes)"))
        expect(row).to_contain_text(f"replaced by {name}-2")
    engineer.goto(old_page)
    expect_state(engineer, "active")
    expect(engineer.get_by_text("It was replaced, and works on until then.")).to_be_visible()
    engineer.get_by_role("link", name=f"{name}-2").click()
    expect(engineer).to_have_url(new_page)
    engineer.get_by_role("link", name=name, exact=True).click()
    expect(engineer).to_have_url(old_page)

    live.run(END_OVERLAPS.format(name=name))
    expect_state_after_reload(engineer, "revoked")
    expect_message(engineer, "It was replaced, and the overlap is over.")
    assert (live.answers_to(old_key), live.answers_to(new_key)) == (401, 200)


def test_a_lost_key_works_until_the_new_one_is_taken(
    live: Live, engineer: Page, watch: Watch
) -> None:
    watch.expect_status(422)
    name = request_token(engineer)
    old_key = take_key(engineer)
    engineer.get_by_role("link", name="Replace: lost or leaked").click()
    with engineer.expect_navigation():
        engineer.get_by_role("button", name="Replace").click()
    expect(engineer.get_by_text("Say what happened to the old key.").first).to_be_visible()
    engineer.get_by_label("It is lost").check()
    expect(engineer.get_by_role("complementary")).to_contain_text(
        "The old token works until the new key has been taken."
    )
    engineer.get_by_role("button", name="Replace the lost key").click()
    new_key = key_on(engineer)
    assert (live.answers_to(old_key), live.answers_to(new_key)) == (200, 200)
    take_key(engineer)
    live.run(END_OVERLAPS.format(name=name))
    assert within(30, lambda: live.answers_to(old_key) == 401)


@pytest.mark.usefixtures("approval_is_asked")
def test_what_a_leaked_key_costs_is_said_before_the_press(
    live: Live, engineer: Page, page_of: Callable[[str], Page]
) -> None:
    request_token(engineer, reason="nightly deploys")
    lead = page_of("lead@example.com")
    lead.goto(address(engineer))
    lead.get_by_role("button", name="Approve", exact=True).click()
    engineer.get_by_role("button", name="Make my key now").click()
    old_key = take_key(engineer)
    engineer.get_by_role("link", name="Replace: lost or leaked").click()
    ticket = engineer.get_by_role("complementary")
    engineer.get_by_label("It is lost").check()
    expect(ticket).to_contain_text("Somebody has to agree first: lead@example.com.")
    expect(ticket).to_contain_text("Until then the old one works.")
    engineer.get_by_label("It has leaked").check()
    expect(ticket).to_contain_text("Until then you have no token at all.")
    expect(engineer.locator("#mode-replace-help")).to_contain_text("“nightly deploys”")
    button = engineer.get_by_role("button", name="Revoke it now and replace it")
    expect(button).to_have_class(re.compile("button-danger"))
    engineer.get_by_label("It is lost").check()
    engineer.get_by_role("button", name="Replace the lost key").click()
    expect_state(engineer, "awaiting_approval")
    expect(engineer.get_by_role("region", name="Who decides")).to_contain_text("lead@example.com")
    assert live.answers_to(old_key) == 200, "a lead may refuse, and nothing is lost"


def expect_state_after_reload(page: Page, state: str) -> None:
    """What the sweep does shows when the page is opened again."""

    def has_come() -> bool:
        page.reload()
        return page.get_by_test_id("token-state").get_attribute("data-state") == state

    assert within(40, has_come)
