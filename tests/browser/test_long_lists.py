"""The form of somebody with 500 workspaces of 100 accounts each: type to find, by keys alone."""

import os
import re
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right, tab_to
from tests.browser.steps import new_name, says
from tests.browser.watch import Watch
from tests.product import Product

ACCESS = """
version: 1
connections:
  main: {}
people:
  - {email: admin@example.com, admin: true, auditor: true}
teams:
  platform:
    members: [engineer@example.com]
    grants:
      - {workspace: "*", approval: never}
"""
FILL = """
from portal.models import Membership, Team, User
from tests import big_catalog
big_catalog.make()
people = User.objects.bulk_create(User(email=f"p{n:03}@example.com") for n in range(300))
team = Team.objects.get(slug="platform")
Membership.objects.bulk_create(Membership(user=one, team=team) for one in people)
"""

ENGINEER = "engineer@example.com"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A product of its own, whose catalog is not read anew while these tests run."""
    file = tmp_path_factory.mktemp("access") / "access.yaml"
    file.write_text(ACCESS)
    with Product(PORTAL_RATE_LIMITS="off", PORTAL_ACCESS_FILE=str(file)) as product:
        scheduler = product.master("scheduler")
        os.kill(scheduler, signal.SIGSTOP)
        live = Live(product)
        live.run(FILL)
        yield live
        live.close()
        os.kill(scheduler, signal.SIGCONT)


@pytest.fixture(scope="module")
def state(live: Live, browser: Browser) -> object:
    with browser.new_context() as context:
        live.sign_in(context.new_page(), ENGINEER)
        return context.storage_state()


@pytest.fixture
def form(
    live: Live, state: object, new_context: Callable[..., BrowserContext]
) -> Callable[..., Page]:
    """Opens the form, with a query if one is given."""

    def form(query: str = "", **options: object) -> Page:
        context = new_context(
            base_url=live.url, storage_state=state, reduced_motion="reduce", **options
        )
        page = context.new_page()
        page.goto(f"/tokens/new/{query}")
        return page

    return form


def box(page: Page, label: str) -> Locator:
    return page.get_by_role("combobox", name=label, exact=True)


def options(page: Page) -> Locator:
    return page.get_by_role("option").filter(visible=True)


def value(page: Page, name: str) -> str:
    """What the form would send."""
    found: str = page.evaluate(
        "name => new FormData(document.querySelector('form.request')).get(name)", name
    )
    return found


def test_a_token_is_requested_by_keys_alone(form: Callable[..., Page]) -> None:
    page = form()
    tab_to(page, "#id_workspace")
    page.keyboard.type("lity-00321")
    expect(options(page)).to_have_count(1)
    expect(says(page, "1 match.")).to_be_attached()
    page.keyboard.press("Enter")
    expect(box(page, "Workspace")).to_have_value(re.compile("^observability-00321 · g-"))
    assert value(page, "workspace") == "g-a000000141"

    expect(page.get_by_text("0 of 100 tokens used")).to_be_visible()
    tab_to(page, "#id_service_account")
    page.keyboard.type("account-09")
    expect(options(page)).to_have_count(10)
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(box(page, "Service account")).to_have_value("service-account-092 · VIEWER")
    assert value(page, "service_account") == "94"
    expect(page.locator("[data-ticket-account]")).to_have_text(
        "service-account-092 VIEWER in observability-00321"
    )
    page.get_by_label("Name", exact=True).fill(new_name())
    with page.expect_request(lambda one: one.method == "POST") as sent:
        tab_to(page, "[data-submit]")
        page.keyboard.press("Enter")
    assert "workspace=g-a000000141&service_account=94" in (sent.value.post_data or "")


def test_the_list_opens_moves_and_closes_as_screen_readers_expect(
    form: Callable[..., Page],
) -> None:
    page = form()
    workspace = box(page, "Workspace")
    workspace.focus()
    expect(workspace).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    expect(workspace).to_have_attribute("aria-expanded", "true")
    active = page.locator("[role=option][aria-selected=true]")
    expect(active).to_have_count(1)
    expect(active).to_have_attribute("aria-posinset", "1")
    expect(active).to_have_attribute("aria-setsize", "503")
    for key, position in (("PageDown", "11"), ("ArrowUp", "10"), ("ArrowDown", "11")):
        page.keyboard.press(key)
        expect(active).to_have_attribute("aria-posinset", position)
        expect(workspace).to_have_attribute(
            "aria-activedescendant", active.get_attribute("id") or ""
        )
        expect(active).to_be_in_viewport()
    for _ in range(5):  # beyond what is drawn at once
        page.keyboard.press("PageDown")
    expect(active).to_have_attribute("aria-posinset", "61")
    page.keyboard.press("Escape")
    expect(workspace).to_have_attribute("aria-expanded", "false")
    expect(workspace).not_to_have_attribute("aria-activedescendant", re.compile("."))
    assert value(page, "workspace") == ""


def test_enter_never_sends_the_form_from_a_list(form: Callable[..., Page]) -> None:
    page = form("?name=x&seconds_to_live=60")
    expect(says(page, "Sealed to this browser")).to_be_visible()
    for key in ("Enter", "Escape", "Enter", "Enter"):
        box(page, "Workspace").press(key)
    assert page.url.endswith("/tokens/new/?name=x&seconds_to_live=60")


def test_what_was_typed_and_can_mean_one_thing_is_chosen_on_leaving(
    form: Callable[..., Page],
) -> None:
    page = form()
    workspace = box(page, "Workspace")
    workspace.press_sequentially("lity-00017")
    page.keyboard.press("Tab")
    expect(workspace).to_have_value(re.compile("^observability-00017 "))
    workspace.press_sequentially("lity-0001")
    page.keyboard.press("Tab")
    expect(workspace).to_have_value(re.compile("^observability-00017 "))  # ten others fit
    workspace.press_sequentially("no such workspace")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page.keyboard.press("Tab")
    assert value(page, "workspace") == "g-a000000011"


def test_the_pointer_chooses_too(form: Callable[..., Page]) -> None:
    page = form()
    box(page, "Workspace").click()
    expect(options(page)).to_have_count(50)
    box(page, "Workspace").fill("00499")
    options(page).click()
    assert value(page, "workspace") == "g-a0000001f3"
    expect(page.get_by_role("listbox")).to_be_hidden()


def test_a_script_that_chooses_in_the_select_is_heard(form: Callable[..., Page]) -> None:
    """The field keeps its name: whoever fills it in as a select chooses as before."""
    page = form()
    page.locator("select[name=workspace]").select_option("g-a000000141")
    page.locator("select[name=service_account]").select_option("94")
    expect(box(page, "Workspace")).to_have_value(re.compile("^observability-00321 "))
    expect(box(page, "Service account")).to_have_value("service-account-092 · VIEWER")
    expect(page.locator("[data-ticket-account]")).to_contain_text("in observability-00321")


def test_of_two_workspaces_chosen_in_haste_the_last_ones_accounts_are_offered(
    form: Callable[..., Page],
) -> None:
    page = form()
    held: list[Route] = []
    page.route("**/tokens/accounts/?workspace=g-a000000001", lambda route: held.append(route))
    select = page.locator("select[name=workspace]")
    select.select_option("g-a000000001")
    expect(page.get_by_text("Loading its service accounts…").first).to_be_visible()
    select.select_option("g-1a2b3c4d5e")
    expect(page.get_by_label("Service account", exact=True)).to_contain_text("dashboards-ci")
    held[0].abort()
    expect(page.get_by_label("Service account", exact=True)).to_contain_text("dashboards-ci")


def test_accounts_that_can_not_be_loaded_come_when_the_portal_is_back(
    form: Callable[..., Page], watch: Watch
) -> None:
    watch.expect(r"net::ERR_FAILED")
    page = form()
    page.route("**/tokens/accounts/*", lambda route: route.abort(), times=1)
    page.locator("select[name=workspace]").select_option("g-a000000001")
    expect(page.get_by_text("be reached: its service accounts come").first).to_be_visible()
    expect(box(page, "Service account")).to_be_visible()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "You have been signed out."),
        (404, "None of your teams has a grant for it"),
        (400, "could not be loaded"),
    ],
)
def test_why_there_are_no_accounts_is_said(
    form: Callable[..., Page], watch: Watch, status: int, words: str
) -> None:
    watch.expect_status(status)
    page = form()
    page.route("**/tokens/accounts/*", lambda route: route.fulfill(status=status, json={}))
    page.locator("select[name=workspace]").select_option("g-a000000001")
    expect(page.locator("[data-workspace-note]")).to_contain_text(words)


def test_a_link_to_what_is_not_granted_keeps_what_it_says(form: Callable[..., Page]) -> None:
    page = form("?workspace=g-ffffffffff&service_account=7")
    assert (value(page, "workspace"), value(page, "service_account")) == ("g-ffffffffff", "7")
    expect(page.locator("[data-workspace-note]")).to_contain_text("None of your teams has a grant")


def test_the_way_back_finds_what_was_chosen(form: Callable[..., Page], live: Live) -> None:
    page = form("?workspace=g-a000000141")
    page.locator("select[name=service_account]").select_option("94")
    page.goto(f"{live.url}/tokens/")
    page.go_back()
    expect(box(page, "Workspace")).to_have_value(re.compile("^observability-00321 "))
    expect(box(page, "Service account")).to_be_visible()


def test_the_long_lists_look_right_open_and_closed(form: Callable[..., Page]) -> None:
    page = form("?workspace=g-a000000141&service_account=94")
    assert_looks_right(page)
    box(page, "Workspace").press("ArrowDown")
    expect(page.get_by_role("listbox")).to_be_visible()
    assert_looks_right(page)
    page.keyboard.type("0002")
    assert_looks_right(page)


def test_a_mistake_in_a_long_list_is_read_out_with_it(
    form: Callable[..., Page], watch: Watch
) -> None:
    watch.expect_status(422)
    page = form("?name=x&seconds_to_live=60")
    page.get_by_role("button", name="Request token").click()
    page.get_by_role("alert").get_by_role("link", name="Choose a workspace.").click()
    workspace = box(page, "Workspace")
    expect(workspace).to_be_focused()
    expect(workspace).to_have_attribute("aria-invalid", "true")
    expect(workspace).to_have_accessible_description(re.compile("Choose a workspace"))
    workspace.press_sequentially("00007")
    page.keyboard.press("Enter")
    expect(workspace).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#id_workspace_error")).to_have_count(0)


def test_without_javascript_the_lists_are_selects(form: Callable[..., Page]) -> None:
    page = form("?workspace=g-a000000141", java_script_enabled=False)
    select = page.get_by_label("Workspace", exact=True)
    expect(select.locator("option")).to_have_count(504)
    select.select_option("g-a000000001")
    expect(page.get_by_label("Service account").locator("option")).to_have_count(101)
    expect(page.get_by_role("button", name="Request token")).to_be_disabled()


# -- Lists of which a page has only the first ---------------------------------------------------


def test_who_is_not_on_the_page_is_found_by_typing(form: Callable[..., Page]) -> None:
    page = form()
    page.goto("/team/platform/")
    person = box(page, "Person")
    person.press_sequentially("p299")
    expect(options(page)).to_have_count(1)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"person=p299%40example\.com"))
    expect(box(page, "Person")).to_have_value("p299@example.com")
    person = box(page, "Person")
    person.press("ArrowDown")
    expect(page.get_by_text("Type for others.")).to_be_visible()
    assert_looks_right(page)


def test_the_inventorys_workspaces_are_found_by_typing(
    form: Callable[..., Page], live: Live, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context(base_url=live.url, reduced_motion="reduce").new_page()
    live.sign_in(page, "admin@example.com")
    for path, label in (("/inventory/", "Workspace"), ("/audit/", "Workspace")):
        page.goto(path)
        if path == "/audit/":
            page.get_by_text("Filters", exact=True).click()
        workspace = box(page, label)
        workspace.press_sequentially("lity-00444")
        expect(options(page)).to_have_count(1)
        page.keyboard.press("Enter")
        assert page.locator("select[name=workspace]").input_value() == "g-a0000001bc"
        assert_looks_right(page)
        page.get_by_role("button", name=re.compile("Show|Apply")).click()
        expect(page).to_have_url(re.compile("workspace=g-a0000001bc"))
        expect(page.locator("select[name=workspace]")).to_have_value("g-a0000001bc")
