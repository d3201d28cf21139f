"""The inventory and the pages of access: they act, they look right, and need no mouse."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import access_file
from tests.browser.live import Live
from tests.browser.looks import assert_looks_right, picture, tab_to
from tests.browser.steps import new_name
from tests.browser.watch import Watch
from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import MOBILE, PROD
from tests.product import within


def make_at_aws(live: Live, workspace: str, name: str) -> None:
    """Somebody makes a token in the console."""
    with boto3_client(live.sandbox) as aws:
        accounts = aws.list_workspace_service_accounts(workspaceId=workspace)["serviceAccounts"]
        usable = [one for one in accounts if one["isDisabled"] != "true"]
        aws.create_workspace_service_account_token(
            workspaceId=workspace,
            serviceAccountId=usable[0]["id"],
            name=name,
            secondsToLive=86_400,
        )


def read_now(page: Page) -> None:
    page.goto("/inventory/")
    page.get_by_role("button", name="Read now").click()
    expect(page.get_by_text("All lists are read.")).to_be_visible(timeout=90_000)
    page.get_by_role("link", name="Show what they say").click()


def test_drift_is_read_and_adopted_by_keyboard(page_as: Callable[[str], Page], live: Live) -> None:
    names = [new_name() for _ in range(3)]
    for name in names:
        make_at_aws(live, PROD, name)
    page = page_as("admin@example.com")
    read_now(page)
    row = page.get_by_test_id("drift-table").get_by_role("row").filter(has_text=names[0])
    expect(row.get_by_text("not issued here", exact=True)).to_be_visible()
    expect(page.get_by_test_id("quota").first).to_be_visible()
    picture(page, "inventory")
    assert_looks_right(page)
    adopting = row.locator("details").filter(has_text="Adopt…")
    adopting.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(adopting.get_by_label("Owner")).to_be_visible()
    picture(page, "inventory-adopting")
    assert_looks_right(page)
    adopting.get_by_label("Team").focus()
    page.keyboard.type("platform")
    page.keyboard.press("Tab")
    page.keyboard.type("engineer@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type("deploys of acme")
    page.keyboard.press("Enter")
    expect(page.get_by_text("belongs to engineer@example.com of team platform now")).to_be_visible()
    expect(page.get_by_test_id("token-state")).to_have_text("active")
    assert_looks_right(page)


def test_what_is_wrong_with_an_adoption_is_mended_beside_its_field(
    page_as: Callable[[str], Page], live: Live, watch: Watch
) -> None:
    watch.expect_status(422)
    name = new_name()
    make_at_aws(live, PROD, name)
    page = page_as("admin@example.com")
    read_now(page)
    row = page.get_by_test_id("drift-table").get_by_role("row").filter(has_text=name)
    adopting = row.locator("details").filter(has_text="Adopt…")
    adopting.locator("summary").click()
    adopting.get_by_label("Team").select_option("platform")
    adopting.get_by_label("Owner").fill("nobody@example.com")
    adopting.get_by_label("Reason").fill("deploys of acme")
    adopting.get_by_role("button", name="Adopt", exact=True).click()
    expect(page.get_by_text("Nobody here has this address.")).to_be_visible()
    picture(page, "inventory-mend")
    assert_looks_right(page)
    page.get_by_label("Owner").fill("engineer@example.com")
    page.get_by_role("button", name="Adopt", exact=True).click()
    expect(page.get_by_text("belongs to engineer@example.com of team platform now")).to_be_visible()
    expect(page.get_by_test_id("token-state")).to_have_text("active")


def test_many_are_looked_at_and_ended(page_as: Callable[[str], Page], live: Live) -> None:
    names = [new_name() for _ in range(2)]
    for name in names:
        make_at_aws(live, MOBILE, name)
    page = page_as("admin@example.com")
    read_now(page)
    page.goto(f"/inventory/?workspace={MOBILE}")
    for name in names:
        page.get_by_label(f"Choose {name}").check()
    expect(page.get_by_text("2 chosen.")).to_be_visible()
    page.get_by_role("button", name="End the chosen…").click()
    expect(page.get_by_role("heading", name="End 2 tokens?")).to_be_visible()
    picture(page, "inventory-end")
    assert_looks_right(page)
    tab_to(page, "#id_reason")
    page.keyboard.type("nobody needs them")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 tokens are being ended")).to_be_visible()
    assert within(60, lambda: not any(live.sandbox.live_tokens(name=one) for one in names))
    page.reload()
    for name in names:
        expect(page.get_by_text(name)).to_have_count(0)


@pytest.mark.parametrize("who", ["admin", "lead", "engineer"])
def test_access_looks_right(page_as: Callable[[str], Page], who: str) -> None:
    page = page_as(f"{who}@example.com")
    page.goto("/access/")
    expect(page.get_by_role("heading", name="Access", exact=True)).to_be_visible()
    expect(page.get_by_test_id("grants-table")).to_be_visible()
    picture(page, f"access-{who}")
    assert_looks_right(page)


def test_a_review_looks_right_and_is_recorded(page_as: Callable[[str], Page]) -> None:
    page = page_as("admin@example.com")
    page.goto("/access/review/")
    picture(page, "review")
    assert_looks_right(page)
    tab_to(page, "#id_note")
    page.keyboard.type("all as it should be")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Reviewed. The audit log says by whom")).to_be_visible()
    expect(page.get_by_text("admin@example.com reviewed it on")).to_be_visible()
    assert_looks_right(page)


def test_an_access_file_is_dropped_planned_and_applied(
    page_as: Callable[[str], Page], live: Live, watch: Watch, tmp_path: Path
) -> None:
    watch.expect_status(422)
    page = page_as("admin@example.com")
    page.goto("/access/plan/")
    assert_looks_right(page)
    page.get_by_label("Access file (YAML)").fill("teams: 7")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_text("line 1, column 8")).to_be_visible()
    picture(page, "plan-wrong")
    assert_looks_right(page)
    file = tmp_path / "access.yaml"
    file.write_text(access_file(approval="always"))
    page.get_by_label("Or choose a file").set_input_files(file)
    expect(page.get_by_text("access.yaml is in the field above now.")).to_be_visible()
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_test_id("plan-changes")).to_contain_text("approval never → always")
    picture(page, "planned")
    assert_looks_right(page)
    page.get_by_role("button", name="Apply this plan").click()
    expect(page.get_by_text("Applied: ")).to_be_visible()
    live.apply_access(access_file())


def test_the_calendars_link_looks_right(page_as: Callable[[str], Page]) -> None:
    page = page_as("lead@example.com")
    page.goto("/team/platform/")
    page.get_by_text("Calendar of the team").click()
    expect(page.get_by_label("Link for calendar programs")).to_be_visible()
    picture(page, "calendar")
    assert_looks_right(page)
