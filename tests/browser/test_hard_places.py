"""Pages where it is hard to read them: narrow, in colours of the system's own, in other zones."""

import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, StorageState, expect

from tests.browser.live import Live
from tests.browser.steps import choose, fill_in, new_name, request_token, take_key
from tests.person import KeyPair

URL = f"https://wiki.example.com/{'runbooks-' * 20}{secrets.token_hex(30)}"
NARROW = (320, 360)
WIDE = 1000


@pytest.fixture(scope="module")
def hostile(live: Live) -> tuple[str, str]:
    """A live token and another that has been revoked, whose words are one long word each."""
    person, keys = live.product.sign_in("engineer@example.com"), KeyPair()
    ids = []
    for _ in range(2):
        page = person.get("/tokens/accounts/?workspace=g-1a2b3c4d5e").json()
        token_id = person.request(
            keys,
            workspace="g-1a2b3c4d5e",
            service_account=page["accounts"][0]["id"],
            name=f"{'n' * 100}{secrets.token_hex(10)}",
            seconds_to_live="3600",
            reason=URL,
        )
        person.take(keys, token_id)
        ids.append(token_id)
    assert person.post(f"/tokens/{ids[1]}/revoke/", reason=URL).status_code == 302
    return ids[0], ids[1]


def test_one_long_word_makes_no_page_scroll(
    live: Live, hostile: tuple[str, str], page_of: Callable[[str], Page]
) -> None:
    alive, over = hostile
    admin, engineer = page_of("admin@example.com"), page_of("engineer@example.com")
    paths = {
        engineer: (
            "/tokens/",
            f"/tokens/{alive}/",
            f"/tokens/{over}/",
            f"/tokens/{alive}/reissue/",
            f"/tokens/new/?name={'n' * 128}&reason={URL}",
            "/team/platform/",
        ),
        admin: (f"/audit/?q={alive}", f"/audit/tokens/{over}/", "/inventory/"),
    }
    too_wide = []
    for page, asked in paths.items():
        for path in asked:
            page.goto(f"{live.url}{path}")
            for width in (*NARROW, WIDE):
                page.set_viewport_size({"width": width, "height": 800})
                needed = page.evaluate("document.documentElement.scrollWidth")
                if needed > width:
                    too_wide.append((path, width, needed))
    page = page_of("lead@example.com")
    page.goto(f"{live.url}/team/platform/")
    page.locator(f"[name=token][value='{alive}']").check()
    page.get_by_role("button", name="Revoke the chosen…").click()
    expect(page.get_by_role("heading", name="Revoke 1 token?")).to_be_visible()
    page.set_viewport_size({"width": NARROW[0], "height": 800})
    if (needed := page.evaluate("document.documentElement.scrollWidth")) > NARROW[0]:
        too_wide.append(("preview", NARROW[0], needed))
    admin.goto(f"{live.url}/audit/tokens/{over}/")
    admin.locator(".story a").first.click()
    expect(admin.get_by_text("Its place in the chain")).to_be_visible()
    admin.set_viewport_size({"width": NARROW[0], "height": 800})
    if (needed := admin.evaluate("document.documentElement.scrollWidth")) > NARROW[0]:
        too_wide.append(("event", NARROW[0], needed))
    assert too_wide == []


def style(page: Page, selector: str, name: str, pseudo: str = "") -> str:
    found: str = page.locator(selector).first.evaluate(
        "(element, [name, pseudo]) => getComputedStyle(element, pseudo || null)[name]",
        [name, pseudo],
    )
    return found


def test_colours_of_the_system_leave_what_is_chosen_and_where_one_is(
    live: Live,
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
) -> None:
    context = new_context(storage_state=session_of("engineer@example.com"), forced_colors="active")
    page = context.new_page()
    page.goto(f"{live.url}/tokens/new/")
    fill_in(page, new_name())
    pressed, other = "[aria-pressed=true]", ".chip[aria-pressed=false]"
    assert style(page, pressed, "backgroundColor") != style(page, other, "backgroundColor")
    here, elsewhere = ".top nav a[aria-current]", ".top nav a:not([aria-current])"
    assert style(page, here, "borderBottomWidth") == "3px"
    assert style(page, elsewhere, "borderBottomWidth") == "0px"
    page.get_by_role("button", name="Request token").click()
    expect(page.get_by_test_id("token-key")).to_be_attached()
    chosen, tab = "[role=tab][aria-selected=true]", "[role=tab][aria-selected=false]"
    assert style(page, chosen, "borderBottomWidth") != style(page, tab, "borderBottomWidth")
    dot = style(page, "[data-testid=token-state]", "backgroundColor", "::before")
    assert dot != style(page, "[data-testid=token-state]", "backgroundColor"), "it is seen"
    take_key(page)


def test_a_column_says_its_zone_by_the_city_of_today(
    live: Live,
    new_context: Callable[..., BrowserContext],
    session_of: Callable[[str], StorageState],
    engineer: Page,
) -> None:
    request_token(engineer, lifetime="7 days")
    take_key(engineer)
    context = new_context(
        storage_state=session_of("engineer@example.com"), timezone_id="Asia/Calcutta"
    )
    page = context.new_page()
    page.goto(f"{live.url}/tokens/")
    table = page.get_by_test_id("tokens-table")
    expect(table.get_by_role("columnheader", name="Ends Asia/Kolkata")).to_be_visible()
    assert "Calcutta" not in (page.locator("main").text_content() or "")
    assert table.locator("tbody .zone").count() == 0, "once, and not in each row"
    expect(table).to_contain_text("in 7 days")


def test_tomorrow_is_the_next_day_of_the_calendar(live: Live, engineer: Page) -> None:
    """At 11 in the evening, what ends in 26 hours does so the day after tomorrow."""
    said = engineer.evaluate(
        """async ([url]) => {
          const script = [...document.querySelectorAll("link[rel=modulepreload]")]
            .find(({ href }) => /times[.\\w]*\\.js$/.test(href));
          const { fromNow } = await import(script.href);
          const now = new Date();
          const [year, month, day] = [now.getFullYear(), now.getMonth(), now.getDate()];
          const at = (days, hour) => new Date(year, month, day + days, hour);
          return [fromNow(at(2, 12)), fromNow(at(-2, 12)), fromNow(at(7, 0))];
        }""",
        [live.url],
    )
    assert said == ["in 2 days", "2 days ago", "in 7 days"]


def test_what_is_wrong_while_typing_is_said_once_at_its_field_with_a_way_out(
    live: Live, engineer: Page
) -> None:
    taken = request_token(engineer)
    take_key(engineer)
    engineer.goto(f"{live.url}/tokens/new/")
    choose(engineer, "Workspace", "observability-prod")
    choose(engineer, "Service account", "dashboards-ci")
    name, lifetime = engineer.locator("#id_name"), engineer.locator("#id_seconds_to_live")
    name.fill(taken)
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_accessible_description(
        f"Unique in its workspace. {len(taken)} of 128 characters. The name “{taken}” is in use "
        f"in this workspace. Choose another. Use {taken}-2"
    )
    red = style(engineer, "[data-name-taken]", "color")
    assert red != style(engineer, "#id_name_help", "color"), "an error does not look like help"
    engineer.get_by_role("button", name=f"Use {taken}-2").click()
    expect(name).to_have_value(f"{taken}-2")
    expect(name).not_to_have_attribute("aria-invalid", "true")
    lifetime.fill("soon")
    expect(lifetime).to_have_attribute("aria-invalid", "true")
    expect(engineer.get_by_text("This is not a time.")).to_have_count(1)
    lifetime.fill("2d")
    expect(lifetime).not_to_have_attribute("aria-invalid", "true")
