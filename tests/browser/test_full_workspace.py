"""A workspace that is full is said once, at its field, with a way out."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right
from tests.browser.steps import choose, expect_chosen, new_name
from tests.browser.watch import Watch
from tests.grafana.sandbox_process import MOBILE

FILL = """
import django
django.setup()
from django.conf import settings
from portal.models import ServiceAccount, State, Team, Token, User
account = ServiceAccount.objects.filter(workspace__aws_id="{workspace}").order_by("pk")[0]
Token.objects.bulk_create(
    Token(
        name=f"{prefix}-{{number}}",
        owner=User.objects.by_address("outsider@example.com"),
        team=Team.objects.get(slug="mobile"),
        workspace=account.workspace,
        service_account=account,
        seconds_to_live=3600,
        state=State.AWAITING_RECIPIENT,
    )
    for number in range(settings.TOKEN_QUOTA)
)
"""
EMPTY = """
import django
django.setup()
from portal.models import Token
Token.objects.filter(name__startswith="{prefix}-").delete()
"""


@pytest.fixture
def full(live: Live) -> Iterator[str]:
    """The id of a workspace in which nobody can get one more token, until the test ends."""
    prefix = new_name()
    live.run(FILL.format(workspace=MOBILE, prefix=prefix))
    yield MOBILE
    live.run(EMPTY.format(prefix=prefix))


def test_a_full_workspace_is_said_once_at_its_field_with_a_way_out(
    page_as: Callable[[str], Page], watch: Watch, full: str
) -> None:
    watch.expect_status(422)
    page = page_as("outsider@example.com")
    page.goto(f"/tokens/new/?workspace={full}&lifetime=1h")
    expect_chosen(page, "Workspace", "retail-mobile")
    expect_said_once(page)
    colours = [
        page.locator(place).evaluate("element => getComputedStyle(element).color")
        for place in ("#id_workspace_note", "#id_name_help")
    ]
    assert colours[0] != colours[1], "an error does not look like help"
    assert_looks_right(page)

    choose(page, "Service account", "app-release")
    page.get_by_label("Name", exact=True).fill(new_name())
    page.get_by_role("button", name="Request token").click()
    summary = page.get_by_role("alert").filter(has_text="This workspace has no room")
    expect(summary).to_be_focused()
    expect_said_once(page)
    assert_looks_right(page)
    summary.get_by_role("link").click()
    expect(page.get_by_label("Workspace", exact=True)).to_be_focused()
    page.get_by_role("link", name="Look through your own tokens").click()
    expect(page.get_by_test_id("tokens-table")).to_be_visible()


def expect_said_once(page: Page) -> None:
    """The field is wrong and says why; nothing else on the page says the same."""
    field = page.get_by_label("Workspace", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("^(This workspace is full:[^:]*)$"))
    expect(page.get_by_text("is full")).to_have_count(1)
    expect(field.locator("option:checked")).to_have_text(re.compile("— full$"))
    expect(page.get_by_role("link", name="Look through your own tokens")).to_be_visible()
