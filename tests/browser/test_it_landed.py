"""The page of a key that was just taken learns by itself that the key is in use."""

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.live import Live
from tests.browser.steps import key_element, request_token, take_key
from tests.product import Product, within

BESIDE_A_KEY = 10_000
"""Milliseconds between a page's questions whether the token of its key still lives."""

NOBODY_HAS_ASKED = """
from portal.models import ServiceAccount
ServiceAccount.objects.update(list_asked_at=None)
"""
"""AWS is asked once a minute, and it has been when the portal started."""


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
        page.clock.install()
        reading.sign_in(page, "engineer@example.com")
        request_token(page)
        key = take_key(page)
        landed = page.locator("[data-part=landed]")
        expect(landed).to_contain_text("Waiting for its first use")
        assert reading.answers_to(key) == 200
        reading.run(NOBODY_HAS_ASKED)

        def it_landed() -> bool:
            page.clock.fast_forward(BESIDE_A_KEY)
            return "In use since" in landed.inner_text()

        assert within(100, it_landed)
        expect(key_element(page)).to_be_visible()
