"""What people come for, walked in Chromium at a person's pace: steps, presses and seconds.

The pace is the keystroke-level model's (Card, Moran and Newell, 1980): 0.2 s a keystroke (an
average typist), 1.1 s to reach what is to be pressed and 0.1 s for the press. Time to think is not
in it, so that the seconds are what the pages cost and not what people wonder about. A step is one
thing that a person does: a press, or a field that is filled in. ``python -m bench.journeys`` prints
the table that stands in docs/DESIGN.md.
"""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from bench.report import DIRECTORY
from tests.browser.access import access_file
from tests.browser.chromium import CHROMIUM, launch
from tests.browser.live import Live
from tests.browser.steps import expect_state, key_on, request_token, take_key
from tests.product import Product

KEYSTROKE, REACH, PRESS = 0.2, 1.1, 0.1
"""Seconds."""
ENGINEER, LEAD, LEAVER = "engineer@example.com", "lead@example.com", "teammate@example.com"
ADMIN = "admin@example.com"
HELD = 12
"""Tokens that a team holds before anybody comes: pages are seldom empty."""


@dataclass
class Walk:
    """One journey of one person, and what it took."""

    page: Page
    steps: int = 0
    presses: int = 0
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def press(self, what: Locator) -> None:
        expect(what).to_be_enabled()
        time.sleep(REACH)
        what.click(delay=PRESS * 1000)
        self.steps += 1
        self.presses += 1

    def type(self, what: Locator, text: str) -> None:
        """Go to a field by the pointer and type, as somebody who does not use Tab."""
        time.sleep(REACH)
        what.click(delay=PRESS * 1000)
        what.press_sequentially(text, delay=KEYSTROKE * 1000)
        self.steps += 1
        self.presses += 1

    def paste(self, what: Locator, text: str) -> None:
        time.sleep(REACH)
        what.click(delay=PRESS * 1000)
        time.sleep(2 * KEYSTROKE)
        what.fill(text)
        self.steps += 1
        self.presses += 1

    def choose(self, label: str, words: str) -> None:
        """Open a list and press one of its options: two presses, one step."""
        select = self.page.get_by_label(label, exact=True)
        option = select.locator("option", has_text=words)
        expect(option).to_be_attached()
        time.sleep(2 * (REACH + PRESS))
        select.select_option(option.get_attribute("value"))
        self.steps += 1
        self.presses += 2

    def done(self) -> "Walk":
        """What they came for is there."""
        self.seconds = time.monotonic() - self.began
        return self

    def copy(self) -> None:
        self.press(self.page.get_by_test_id("copy-key"))
        expect(self.page.get_by_role("status").filter(has_text="Copied")).to_be_visible()


@dataclass
class Stage:
    """The product, and its people with a page each."""

    live: Live
    page_of: Callable[[str], Page]
    apply_access: Callable[..., None]
    stranger: Callable[[], Page]
    """Makes a page on which nobody is signed in."""

    def list_of(self, email: str) -> Page:
        page = self.page_of(email)
        page.goto(f"{self.live.url}/tokens/")
        return page

    def token(self, email: str = ENGINEER, **fields: str) -> tuple[str, str]:
        """A token whose key was taken: its address and its key."""
        page = self.list_of(email)
        request_token(page, **fields)
        key = key_on(page)
        take_key(page)
        return page.url, key


def first_request(stage: Stage) -> Walk:
    page = stage.list_of(ENGINEER)
    page.evaluate("localStorage.clear()")
    walk = Walk(page)
    walk.press(page.get_by_role("link", name="New token").last)
    walk.choose("Workspace", "observability-prod")
    walk.choose("Service account", "dashboards-ci")
    walk.type(page.get_by_label("What uses it"), "nightly backup")
    walk.press(page.get_by_role("button", name="1 day", exact=True))
    walk.press(page.get_by_role("button", name="Request token"))
    walk.copy()
    return walk.done()


def repeated_request(stage: Stage) -> Walk:
    page = stage.list_of(ENGINEER)
    walk = Walk(page)
    walk.press(page.get_by_role("link", name="Same as last time"))
    walk.press(page.get_by_role("button", name="Request token"))
    walk.copy()
    return walk.done()


def approve(stage: Stage) -> Walk:
    stage.apply_access(approval="always")
    engineer = stage.list_of(ENGINEER)
    name = request_token(engineer, reason="nightly backup")
    page = stage.list_of(LEAD)
    walk = Walk(page)
    walk.press(page.get_by_role("link", name="Answer it"))
    walk.press(page.get_by_role("button", name=f"Approve {name}"))
    expect(page.get_by_text(f"Approved: {name}")).to_be_visible()
    walk.done()
    stage.apply_access()
    return walk


def renew(stage: Stage) -> Walk:
    url, _ = stage.token()
    page = stage.list_of(ENGINEER)
    walk = Walk(page)
    walk.press(page.locator(f"main a[href='{url.removeprefix(stage.live.url)}']"))
    walk.press(page.get_by_role("link", name="Renew"))
    walk.press(page.get_by_role("button", name="Renew the token"))
    walk.copy()
    return walk.done()


def _replace(stage: Stage, label: str, button: str) -> Walk:
    url, _ = stage.token()
    page = stage.list_of(ENGINEER)
    walk = Walk(page)
    walk.press(page.locator(f"main a[href='{url.removeprefix(stage.live.url)}']"))
    walk.press(page.get_by_role("link", name="Replace: lost or leaked"))
    walk.press(page.get_by_label(label))
    walk.press(page.get_by_role("button", name=button))
    walk.copy()
    return walk.done()


def lost(stage: Stage) -> Walk:
    return _replace(stage, "It is lost", "Replace the lost key")


def leaked(stage: Stage) -> Walk:
    return _replace(stage, "It has leaked", "Revoke it now and replace it")


def revoke(stage: Stage) -> Walk:
    url, _ = stage.token()
    page = stage.list_of(ENGINEER)
    walk = Walk(page)
    walk.press(page.locator(f"main a[href='{url.removeprefix(stage.live.url)}']"))
    walk.press(page.locator("[data-more] > summary"))
    walk.press(page.locator("#revoke > summary"))
    walk.press(page.get_by_role("button", name="Revoke this token"))
    expect_state(page, "revoked")
    return walk.done()


def leave(stage: Stage) -> Walk:
    for _ in range(3):
        stage.token(LEAVER)
    stage.apply_access(without=LEAVER)
    page = stage.list_of(LEAD)
    walk = Walk(page)
    walk.press(page.get_by_role("navigation", name="Main").get_by_role("link", name="Team"))
    walk.press(page.get_by_role("link", name="Hand over or replace those of"))
    walk.choose("New owner", ENGINEER)
    walk.press(page.get_by_role("button", name="Hand over"))
    expect(page.get_by_text("handed over")).to_be_visible()
    walk.done()
    stage.apply_access()
    return walk


def find(stage: Stage) -> Walk:
    """Whoever holds a key that was found somewhere finds its token and ends it."""
    _, key = stage.token()
    page = stage.list_of(LEAD)
    walk = Walk(page)
    walk.press(page.locator("[data-menu] > summary"))
    walk.press(page.get_by_role("link", name="Find by key"))
    walk.paste(page.get_by_label("The key"), key)
    walk.press(page.get_by_role("button", name="Find its token"))
    walk.press(page.get_by_role("button", name="Revoke this token"))
    expect_state(page, "revoked")
    return walk.done()


def as_of(stage: Stage) -> Walk:
    """Who held what an hour ago."""
    page = stage.list_of(ADMIN)
    walk = Walk(page)
    walk.press(page.get_by_role("navigation", name="Main").get_by_role("link", name="Audit"))
    walk.press(page.locator("details > summary", has_text="Filters"))
    walk.type(page.get_by_label("As of"), "today")
    walk.press(page.get_by_role("button", name="Apply"))
    expect(page.get_by_test_id("as-of")).to_be_visible()
    return walk.done()


JOURNEYS: dict[str, Callable[[Stage], Walk]] = {
    "request, a first": first_request,
    "request, the same again": repeated_request,
    "approve": approve,
    "renew": renew,
    "replace: lost": lost,
    "replace: leaked": leaked,
    "revoke": revoke,
    "somebody left: hand over 3": leave,
    "find by key, and revoke": find,
    "as of a moment": as_of,
}


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        file = Path(folder, "access.yaml")
        file.write_text(access_file())
        product = stack.enter_context(Product(PORTAL_ACCESS_FILE=str(file)))
        live = stack.enter_context(contextlib.closing(Live(product)))
        playwright = stack.enter_context(sync_playwright())
        browser: Browser = stack.enter_context(launch(playwright, CHROMIUM))
        pages: dict[str, Page] = {}

        def page_of(email: str) -> Page:
            if email not in pages:
                context = browser.new_context(timezone_id="Europe/Berlin")
                context.grant_permissions(["clipboard-read", "clipboard-write"], origin=product.url)
                pages[email] = context.new_page()
                live.sign_in(pages[email], email)
            return pages[email]

        def apply_access(**how: str) -> None:
            live.apply_access(access_file(**how))

        yield Stage(live, page_of, apply_access, browser.new_page)


def main() -> None:
    expect.set_options(timeout=60_000)
    rows: list[dict[str, object]] = []
    with stage() as here:
        for _ in range(HELD):
            here.token()
        for name, journey in JOURNEYS.items():
            walk = journey(here)
            taken = {"steps": walk.steps, "presses": walk.presses, "seconds": walk.seconds}
            rows.append({"journey": name, **taken})
    print(f"{os.cpu_count()} cores, the sandbox's AWS answers after 150 ms\n")
    print("| journey | steps | presses | seconds |\n| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row['journey']} | {row['steps']} | {row['presses']} | {row['seconds']:.1f} |")
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    (DIRECTORY / "journeys.json").write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
