"""Theme and time zone by choice: no page is drawn in the other theme, and every time follows."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right, picture
from tests.browser.steps import fill_in, new_name, open_form, submit, take_key
from tests.browser.watch import Watch

PAPER_OF_THE_LIGHT, PAPER_OF_THE_DARK = "rgb(246, 243, 236)", "rgb(19, 24, 26)"
AT_FIRST = """
addEventListener("DOMContentLoaded", () => {
  window.paperAtFirst = getComputedStyle(document.body).backgroundColor;
});
"""
CHOOSE_NOTHING = """
import django
django.setup()
from portal.models import User
User.objects.update(theme="", chosen_zone="")
"""


@pytest.fixture
def teammate(live: Live, new_context: Callable[..., BrowserContext]) -> Iterator[Page]:
    """Somebody whose system is dark and whose browser is in Berlin, in a session of their own."""
    page = new_context(color_scheme="dark", reduced_motion="reduce", base_url=live.url).new_page()
    live.sign_in(page, "teammate@example.com")
    yield page
    live.run(CHOOSE_NOTHING)


def choose(page: Page, *, theme: str, zone: str) -> None:
    page.locator("[data-menu] summary").click()
    page.get_by_role("link", name="Theme and time zone").click()
    page.get_by_label(theme, exact=True).check()
    box = page.get_by_role("combobox", name="Time zone")
    box.fill(zone)
    page.get_by_role("option", name=zone).first.click()
    page.get_by_role("button", name="Keep this choice").click()
    expect(page.get_by_text("Kept, for every browser")).to_be_visible()


def paper(page: Page) -> str:
    """As it was before a script of the page had run, and now."""
    at_first: str = page.evaluate("paperAtFirst")
    expect(page.locator("body")).to_have_css("background-color", at_first)
    return at_first


def test_a_theme_holds_from_the_first_paint_on_every_page(teammate: Page, watch: Watch) -> None:
    watch.expect_status(404)
    teammate.add_init_script(AT_FIRST)
    teammate.goto("/tokens/")
    assert paper(teammate) == PAPER_OF_THE_DARK, "as the system has it"
    choose(teammate, theme="Light", zone="Kolkata")
    for path in ("/accounts/display/", "/tokens/new/", "/nothing-here/", "/team/nobodys/"):
        teammate.goto(path)
        assert paper(teammate) == PAPER_OF_THE_LIGHT, path
    teammate.goto("/accounts/display/")
    expect(teammate.locator("[data-own-zone-name]")).to_contain_text("Europe/Berlin")
    assert_looks_right(teammate)
    picture(teammate, "display")
    teammate.emulate_media(color_scheme="light")
    choose(teammate, theme="Dark", zone="Tokyo")
    assert_looks_right(teammate)
    picture(teammate, "display-dark")
    teammate.get_by_role("group").locator("summary").first.click()
    teammate.get_by_role("button", name="Sign out").click()
    expect(teammate).to_have_url(re.compile("/accounts/login/"))
    assert paper(teammate) == PAPER_OF_THE_DARK, "where nobody is signed in"
    teammate.emulate_media(media="print")
    expect(teammate.locator("body")).to_have_css("background-color", PAPER_OF_THE_LIGHT)


def test_times_are_shown_and_read_in_the_chosen_zone(teammate: Page) -> None:
    choose(teammate, theme="As the system has it", zone="Tokyo")
    open_form(teammate)
    fill_in(teammate, new_name())
    lifetime = teammate.get_by_label("Lifetime", exact=True)
    lifetime.fill("tomorrow 18:00")
    # Nine hours ahead of UTC all year, and never of Berlin.
    expect(teammate.locator("[data-ends]")).to_contain_text("18:00 Asia/Tokyo · 09:00 UTC")
    submit(teammate)
    take_key(teammate)
    record = teammate.get_by_role("region", name="Record")
    expect(record).to_contain_text("18:00 Asia/Tokyo")
    teammate.goto("/tokens/")
    ends = teammate.get_by_test_id("tokens-table").locator("th", has_text="Ends")
    expect(ends).to_have_text("Ends Asia/Tokyo")
