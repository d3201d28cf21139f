"""Somebody leaves: what they leave behind is on their lead's desk, and ends by one action."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import request_token, says, take_key
from tests.browser.watch import Watch
from tests.person import KeyPair, Person
from tests.product import ROOT

LEAVER = "teammate@example.com"
MANY = 20
SECONDS_TO_END_MANY = 60.0

ACCESS = """
version: 1
people:
  - {email: admin@example.com, admin: true, auditor: true}
teams:
  platform:
    leads: [lead@example.com]
    members: [engineer@example.com%s]
    grants:
      - {workspace: observability-prod}
      - {workspace: observability-staging}
  mobile:
    members: [outsider@example.com]
    grants:
      - {workspace: retail-mobile}
"""


@pytest.fixture
def remove_from_team(live: Live, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Takes the leaver out of the access file and applies it; she is back after the test."""

    def apply(members: str) -> None:
        (tmp_path / "access.yaml").write_text(ACCESS % members)
        ran = subprocess.run(
            [
                sys.executable,
                str(ROOT / "manage.py"),
                "apply_access",
                str(tmp_path / "access.yaml"),
            ],
            env=live.product.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

    yield lambda: apply("")
    apply(f", {LEAVER}")


@pytest.fixture
def lead(page_of: Callable[[str], Page]) -> Page:
    return page_of("lead@example.com")


def tokens_of(person: Person, count: int) -> dict[str, str]:
    """Make so many tokens and take their keys: keys by names."""
    pair = KeyPair()
    form = person.get("/tokens/new/").text
    found = re.search(
        r'<script id="catalog" type="application/json">(.*?)</script>', form, re.DOTALL
    )
    assert found is not None
    workspace = json.loads(unescape(found[1]))[0]
    account = next(one for one in workspace["accounts"] if not one["obstacle"])
    keys = {}
    for number in range(count):
        name = f"left-behind-{number}"
        token_id = person.request(
            pair,
            workspace=workspace["id"],
            service_account=account["id"],
            name=name,
            seconds_to_live="3600",
        )
        keys[name] = person.take(pair, token_id)
    return keys


def go_to_desk(page: Page) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Team").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("platform")


def test_twenty_tokens_of_somebody_who_left_end_by_one_action(
    live: Live, lead: Page, remove_from_team: Callable[[], None]
) -> None:
    keys = tokens_of(live.product.sign_in(LEAVER), MANY)
    go_to_desk(lead)
    expect(lead.get_by_text(f"{LEAVER} left the team")).to_have_count(0)

    remove_from_team()
    lead.reload()
    note = lead.get_by_role("region", name=f"{LEAVER} left the team")
    expect(note).to_contain_text(f"{MANY} tokens of theirs have not ended")
    note.get_by_role("button", name=f"End all {MANY}…").click()

    listed = lead.get_by_test_id("preview-table").locator("tbody th")
    expect(listed).to_have_count(MANY)
    assert set(listed.all_inner_texts()) == set(keys)
    assert {live.answers_to(key) for key in keys.values()} == {200}, "nothing has changed yet"
    lead.get_by_label("Reason").fill("left the company")
    lead.get_by_role("button", name=f"End {MANY} tokens").click()

    expect(says(lead, f"All {MANY} ended.")).to_be_visible(timeout=SECONDS_TO_END_MANY * 1000)
    expect(lead.locator("[data-state=revoked]")).to_have_count(MANY)
    assert {live.answers_to(key) for key in keys.values()} == {401}
    lead.reload()
    expect(says(lead, f"All {MANY} ended.")).to_be_visible()

    go_to_desk(lead)
    expect(lead.get_by_text(f"{LEAVER} left the team")).to_have_count(0)
    ended = lead.get_by_test_id("ended-table").locator("tr", has_text="left-behind-")
    expect(ended).to_have_count(MANY)
    expect(ended.first).to_contain_text("left the company")


def test_without_a_reason_the_list_stays_and_says_so(
    lead: Page, page_of: Callable[[str], Page], watch: Watch
) -> None:
    watch.expect_status(422)
    engineer = page_of("engineer@example.com")
    name = request_token(engineer)
    take_key(engineer)
    go_to_desk(lead)
    lead.get_by_label(f"Choose {name}").check()
    expect(says(lead, "1 chosen")).to_be_visible()
    lead.get_by_role("button", name="End the chosen…").click()
    lead.get_by_role("button", name="End 1 token").click()

    expect(lead.get_by_label("Reason")).to_be_focused()
    expect(lead.get_by_label("Reason")).to_have_accessible_description(re.compile("Say why"))
    expect(lead.get_by_test_id("preview-table").locator("tbody th")).to_have_text([name])


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
    lead.get_by_role("button", name="End the chosen…").click()
    lead.get_by_label("Reason").fill("no longer needed")
    lead.get_by_role("button", name="End 1 token").click()
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
