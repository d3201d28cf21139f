"""The lead's desk: what somebody who left leaves behind ends by one action; how the pages look."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, StorageState, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right, tab_to
from tests.browser.steps import new_name, request_token, says, take_key
from tests.browser.watch import Watch
from tests.person import KeyPair, Person

LEAVER = "teammate@example.com"
MANY = 20
SECONDS_TO_END_MANY = 60.0
USED_JUST_NOW = """
from datetime import timedelta
from django.utils import timezone
from portal.models import Token
used = timezone.now() - timedelta(minutes=3)
Token.objects.filter(name="{name}").update(last_used_at=used)
"""


@pytest.fixture
def lead(
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    live: Live,
) -> Page:
    """The lead's page, without motion: no colour is caught half-way."""
    session = session_of("lead@example.com")
    page = new_context(storage_state=session, base_url=live.url, reduced_motion="reduce").new_page()
    page.goto("/tokens/")
    return page


def ask_for(person: Person, pair: KeyPair, name: str, workspace_name: str = "") -> str:
    """Ask for a token of a workspace's first usable account: its id."""
    form = person.get("/tokens/new/").text
    offered = re.findall(r'<option value="(g-\w+)">([^<]*)', form)
    workspace = next(one for one, label in offered if workspace_name in label)
    accounts = person.get(f"/tokens/accounts/?workspace={workspace}").json()["accounts"]
    account = next(one["id"] for one in accounts if not one["obstacle"])
    return person.request(
        pair,
        workspace=workspace,
        service_account=account,
        name=name,
        seconds_to_live="3600",
    )


def tokens_of(person: Person, prefix: str, count: int) -> dict[str, str]:
    """Make so many tokens and take their keys: keys by names."""
    pair = KeyPair()
    names = [f"{prefix}-{number}" for number in range(count)]
    return {name: person.take(pair, ask_for(person, pair, name)) for name in names}


def go_to_desk(page: Page) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Team").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("platform")


def test_twenty_tokens_of_somebody_who_left_end_by_one_action(
    live: Live, lead: Page, apply_access: Callable[..., None]
) -> None:
    keys = tokens_of(live.product.sign_in(LEAVER), "left-behind", MANY)
    go_to_desk(lead)
    expect(lead.locator("#left")).to_have_count(0)

    apply_access(without=LEAVER)
    lead.reload()
    note = lead.locator("#left")
    expect(note).to_contain_text(f"1 person left the team, {MANY} tokens of theirs have not ended")
    note.get_by_role("button", name=f"Revoke those of {LEAVER}…").click()

    listed = lead.get_by_test_id("preview-table").locator("tbody th")
    expect(listed).to_have_count(MANY)
    assert set(listed.all_inner_texts()) == set(keys)
    assert {live.answers_to(key) for key in keys.values()} == {200}, "nothing has changed yet"
    lead.get_by_label("Reason").fill("left the company")
    lead.get_by_role("button", name=f"Revoke {MANY} tokens").click()

    expect(says(lead, f"All {MANY} ended.")).to_be_visible(timeout=SECONDS_TO_END_MANY * 1000)
    expect(lead.locator("[data-state=revoked]")).to_have_count(MANY)
    assert {live.answers_to(key) for key in keys.values()} == {401}
    lead.reload()
    expect(says(lead, f"All {MANY} ended.")).to_be_visible()

    go_to_desk(lead)
    expect(lead.locator("#left")).to_have_count(0)
    ended = lead.get_by_test_id("ended-table").locator("tr", has_text="left-behind-")
    expect(ended).to_have_count(MANY)
    expect(ended.first).to_contain_text("left the company")


def test_without_a_reason_the_list_stays_and_says_what_uses_a_token(
    live: Live, lead: Page, page_of: Callable[[str], Page], watch: Watch
) -> None:
    watch.expect_status(422)
    engineer = page_of("engineer@example.com")
    name = request_token(engineer, reason="nightly backup")
    take_key(engineer)
    live.run(USED_JUST_NOW.format(name=name))
    go_to_desk(lead)
    lead.get_by_label(f"Choose {name}").check()
    expect(says(lead, "1 chosen")).to_be_visible()
    lead.get_by_role("button", name="Revoke the chosen…").click()
    for words in ("1 of them was used within the last day", "nightly backup", "3 minutes ago"):
        expect(lead.locator("main")).to_contain_text(words)
    lead.get_by_role("button", name="Revoke 1 token").click()

    expect(lead.get_by_label("Reason")).to_be_focused()
    expect(lead.get_by_label("Reason")).to_have_accessible_description(re.compile("Say why"))
    expect(lead.get_by_test_id("preview-table").locator("tbody th")).to_have_text([name])


def test_what_somebody_left_is_handed_over_with_new_keys(
    live: Live,
    lead: Page,
    page_of: Callable[[str], Page],
    apply_access: Callable[..., None],
) -> None:
    prefix = new_name()
    keys = tokens_of(live.product.sign_in(LEAVER), prefix, 2)
    apply_access(without=LEAVER)
    go_to_desk(lead)
    line = lead.locator("#left")
    expect(line.locator(".button-danger")).to_have_count(0)
    line.get_by_role("link", name=f"Hand over or replace those of {LEAVER}…").click()
    expect(lead.get_by_label("Hand over and replace")).to_be_checked()
    lead.get_by_label("New owner").select_option("engineer@example.com")
    lead.get_by_role("button", name=re.compile(r"Hand over \d+ tokens")).click()
    expect(lead.get_by_text("handed over.")).to_be_visible()
    assert {live.answers_to(key) for key in keys.values()} == {200}, "nothing stops"

    engineer = page_of("engineer@example.com")
    engineer.get_by_role("link", name=f"{prefix}-0-2", exact=True).click()
    engineer.get_by_role("button", name="Make my key now").click()
    assert live.answers_to(take_key(engineer)) == 200


def test_a_refusal_of_aws_shows_on_both_pages_and_is_overcome(
    live: Live, lead: Page, page_of: Callable[[str], Page]
) -> None:
    engineer = page_of("engineer@example.com")
    name = request_token(engineer)
    key = take_key(engineer)
    live.sandbox.fault(
        "error",
        operation="DeleteWorkspaceServiceAccountToken",
        type="AccessDeniedException",
        message="not authorized",
        times=None,
    )
    go_to_desk(lead)
    lead.get_by_label(f"Choose {name}").check()
    lead.get_by_role("button", name="Revoke the chosen…").click()
    lead.get_by_label("Reason").fill("no longer needed")
    lead.get_by_role("button", name="Revoke 1 token").click()
    expect(says(lead, "0 of 1 ended")).to_be_visible()
    row = lead.get_by_role("row", name=name)
    expect(row).to_contain_text("AWS has not deleted the token yet (AccessDeniedException)")

    desk = lead.context.new_page()
    desk.goto(f"{live.url}/team/platform/?flag=refused")
    refused = desk.get_by_test_id("tokens-table").get_by_role("row", name=name)
    expect(refused).to_contain_text("not deleted by AWS")
    expect(refused).to_contain_text("AWS says AccessDeniedException")
    assert live.answers_to(key) == 200

    live.sandbox.clear_faults()
    expect(says(lead, "All 1 ended.")).to_be_visible(timeout=SECONDS_TO_END_MANY * 1000)
    assert live.answers_to(key) == 401


# -- How the pages look -------------------------------------------------------------------------


@pytest.fixture
def busy_desk(live: Live, apply_access: Callable[..., None]) -> Iterator[str]:
    """A desk with one of everything; the name of the request that waits for approval."""
    leaver = live.product.sign_in(LEAVER)
    engineer = live.product.sign_in("engineer@example.com")
    pair = KeyPair()
    tokens_of(leaver, new_name(), 2)
    ask_for(
        engineer, pair, f"{new_name()}-{'with-a-long-name-' * 6}", "prod"
    )  # nobody takes its key
    apply_access(approval="always")
    name = new_name()
    waiting = ask_for(engineer, pair, name, "staging")
    apply_access(without=LEAVER, approval="always")
    yield name
    engineer.post(f"/tokens/{waiting}/cancel/")


def test_the_desk_and_its_pages_look_right(
    live: Live, lead: Page, watch: Watch, busy_desk: str
) -> None:
    watch.expect_status(409, 422)
    lead.goto("/team/platform/")
    expect(lead.locator("#left")).to_be_visible()
    expect(lead.get_by_role("heading", name="Waiting for your approval")).to_be_visible()
    lead.get_by_label(f"Deny {busy_desk}…").click()
    assert_looks_right(lead)

    lead.goto(f"/team/platform/?person={LEAVER}&q=nothing-like-that")
    expect(lead.get_by_text("No live token matches.")).to_be_visible()
    assert_looks_right(lead)

    late = lead.context.new_page()
    late.goto(lead.url)
    for page in (lead, late):
        page.get_by_role("button", name=f"Revoke everything of {LEAVER}…").click()
    assert_looks_right(lead)
    lead.get_by_role("button", name=re.compile(r"Revoke \d+ tokens?$")).click()
    expect(lead.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")
    assert_looks_right(lead)

    live.sandbox.fault(
        "error",
        operation="DeleteWorkspaceServiceAccountToken",
        type="AccessDeniedException",
        times=None,
    )
    lead.get_by_label("Reason").fill("left the company")
    lead.get_by_role("button", name=re.compile(r"Revoke \d+ tokens?$")).click()
    expect(lead.get_by_text("AccessDeniedException").first).to_be_visible()
    assert_looks_right(lead)
    late.get_by_label("Reason").fill("left the company")
    late.get_by_role("button", name=re.compile(r"Revoke \d+ tokens?$")).click()
    expect(late.get_by_role("heading", name="ended already")).to_be_visible()
    assert_looks_right(late)


def test_the_choice_of_teams_looks_right(lead: Page, page_of: Callable[[str], Page]) -> None:
    admin = page_of("admin@example.com")
    admin.get_by_role("navigation", name="Main").get_by_role("link", name="Team").click()
    expect(admin).to_have_url(re.compile(r"/team/$"))
    admin.emulate_media(reduced_motion="reduce")
    assert_looks_right(admin)
    admin.get_by_role("link", name="mobile").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text("mobile")


def test_from_the_desk_to_the_end_of_a_token_needs_the_keyboard_alone(
    lead: Page, page_of: Callable[[str], Page]
) -> None:
    engineer = page_of("engineer@example.com")
    name = request_token(engineer)
    take_key(engineer)
    lead.goto(f"/team/platform/?q={name}")
    tab_to(lead, f"[aria-label='Choose {name}']")
    lead.keyboard.press("Space")
    tab_to(lead, "[data-pick-form] [type=submit]")
    lead.keyboard.press("Enter")
    expect(lead.get_by_role("heading", name="Revoke 1 token?")).to_be_visible()
    tab_to(lead, "[name=reason]")
    lead.keyboard.type("no longer needed")
    lead.keyboard.press("Enter")

    expect(says(lead, "All 1 ended.")).to_be_visible()


def test_a_request_is_approved_from_the_desk(lead: Page, busy_desk: str) -> None:
    go_to_desk(lead)
    tab_to(lead, f"[aria-label='Approve {busy_desk}']")
    lead.keyboard.press("Enter")

    expect(lead.get_by_text(f"Approved: {busy_desk}")).to_be_visible()
