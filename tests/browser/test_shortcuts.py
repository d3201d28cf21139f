"""Single keys that lead somewhere: listed by "?", silent while one types, off by one setting."""

import contextlib

from playwright.sync_api import Page, TimeoutError, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right


def _press_until(page: Page, key: str, url: str) -> None:
    """One that comes before the page is wired, or while a dialog gives the focus back, is lost."""
    for _ in range(9):
        page.keyboard.press(key)
        with contextlib.suppress(TimeoutError):
            page.wait_for_url(url, timeout=3_000)
            return
    expect(page).to_have_url(url)


def test_single_keys_lead_somewhere_until_they_are_switched_off(live: Live, engineer: Page) -> None:
    engineer.emulate_media(reduced_motion="reduce")
    _press_until(engineer, "n", f"{live.url}/tokens/new/")
    name = engineer.get_by_label("Name", exact=True)
    name.fill("")
    name.press_sequentially("not-a-way-out/?")
    expect(name).to_have_value("not-a-way-out/?")
    name.blur()
    engineer.keyboard.press("?")
    listed = engineer.get_by_role("dialog", name="Keyboard shortcuts")
    expect(listed).to_contain_text("New token")
    assert_looks_right(engineer)
    listed.get_by_label("Use them in this browser").uncheck()
    listed.get_by_role("button", name="Close").click()
    engineer.keyboard.press("t")
    engineer.keyboard.press("?")
    expect(listed).to_be_hidden()
    expect(engineer).to_have_url(f"{live.url}/tokens/new/")
    # The menu has the list, and with it the way to switch them on again.
    engineer.click("[data-menu] summary")
    engineer.get_by_role("button", name="Keyboard shortcuts").click()
    listed.get_by_label("Use them in this browser").check()
    engineer.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    _press_until(engineer, "t", f"{live.url}/tokens/")
