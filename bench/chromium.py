"""A real browser: from the click on the form's button to the key on the page, by its own clock."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright

from bench.visitor import Place
from tests.browser.chromium import CHROMIUM, launch
from tests.person import Person

# Both moments in milliseconds since 1970, to the microsecond: the click and the key stand on
# different pages, whose own clocks start with each. The key counts when it can be copied.
STOPWATCH = """
const now = () => performance.timeOrigin + performance.now();
addEventListener("click", (event) => {
  if (event.target.closest("[data-submit]")) sessionStorage.setItem("clicked", now());
}, true);
new MutationObserver((_, observer) => {
  if (!document.querySelector("[data-testid=copy-key]")) return;
  observer.disconnect();
  window.keyCameAfter = now() - Number(sessionStorage.getItem("clicked"));
}).observe(document, {childList: true, subtree: true});
"""
KEY_PAIR_IS_MADE = "[name=public_key]:not([value=''])"
KEY = "[data-testid=token-key]"


@contextlib.contextmanager
def page_of(person: Person) -> Iterator[Page]:
    """A page in Chromium, signed in as ``person``."""
    with sync_playwright() as playwright, launch(playwright, CHROMIUM) as browser:
        context = browser.new_context(base_url=person.url)
        context.add_cookies(
            [
                {"name": cookie.name, "value": str(cookie.value), "url": person.url}
                for cookie in person.http.cookies
            ]
        )
        context.add_init_script(STOPWATCH)
        yield context.new_page()


def issue(page: Page, place: Place, name: str) -> float:
    """Open the filled-in form, click, and have the key; the seconds from the click to the key."""
    query = urlencode(
        {
            "workspace": place.workspace,
            "service_account": place.service_account,
            "name": name,
            "seconds_to_live": "3600",
        }
    )
    page.goto(f"/tokens/new/?{query}")
    page.wait_for_selector(KEY_PAIR_IS_MADE, state="attached")
    page.wait_for_timeout(300)  # whoever fills in a form is slower than its page's last scripts
    page.click("[data-submit]")
    page.wait_for_selector(KEY)
    came: float = page.evaluate("window.keyCameAfter")
    return came / 1000
