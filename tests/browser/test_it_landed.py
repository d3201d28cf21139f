"""The page of a key that was just taken learns by itself that the key is in use."""

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.live import Live
from tests.browser.steps import key_element, request_token, take_key
from tests.product import Product


@pytest.fixture
def reading() -> Iterator[Live]:
    """A portal that reads AWS's lists: others don't, for the faults that tests order there."""
    product = Product(PORTAL_RATE_LIMITS="off", PORTAL_INVENTORY_SECONDS="86400")
    with product, contextlib.closing(Live(product)) as live:
        yield live


def test_a_page_waits_for_the_first_use_beside_its_key(reading: Live, browser: Browser) -> None:
    with browser.new_context(timezone_id="Europe/Berlin") as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=reading.url)
        page = context.new_page()
        reading.sign_in(page, "engineer@example.com")
        request_token(page)
        key = take_key(page)
        landed = page.locator("[data-part=landed]")
        expect(landed).to_contain_text("Waiting for its first use")
        assert reading.answers_to(key) == 200
        expect(landed).to_contain_text("In use since", timeout=100_000)
        expect(key_element(page)).to_be_visible()
