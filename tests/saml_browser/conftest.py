"""Chromium on a portal that a company's provider signs people in to by SAML."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import launch
from tests.browser.conftest import SECONDS_TO_APPEAR
from tests.browser.live import Live
from tests.browser.watch import Watch
from tests.product import Product
from tests.saml.process import ProviderProcess

ACCESS = """
version: 1
connections:
  main: {}
people:
  - {email: admin@example.com, admin: true}
teams:
  platform:
    members: [engineer@example.com]
    lead_idp_groups: [0a1b2c3d-leads]
    grants:
      - {workspace: observability-prod}
"""
PEOPLE: dict[str, dict[str, Any]] = {
    "engineer@example.com": {"name_id": "engineer@example.com"},
    "admin@example.com": {"name_id": "admin@example.com"},
    "new@example.com": {
        "name_id": "a81b-7",
        "format": "persistent",
        "attributes": {"email": ["new@example.com"], "groups": ["0a1b2c3d-leads"]},
    },
    "stranger@example.com": {
        "name_id": "stranger@example.com",
        "attributes": {"groups": ["canteen"]},
    },
}


@pytest.fixture(scope="package")
def provider() -> Iterator[ProviderProcess]:
    with ProviderProcess("localhost") as provider:
        provider.people(PEOPLE)
        yield provider


@pytest.fixture(scope="package")
def live(provider: ProviderProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    file = tmp_path_factory.mktemp("access") / "access.yaml"
    file.write_text(ACCESS)
    product = Product(
        PORTAL_RATE_LIMITS="off",
        PORTAL_ACCESS_FILE=str(file),
        PORTAL_SAML_METADATA=provider.entity_id,
    )
    with product:
        base = f"{product.url}/accounts/saml/sso"
        provider.meet(f"{base}/metadata/", f"{base}/acs/")
        live = Live(product)
        yield live
        live.close()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright, launch(playwright) as browser:
        yield browser


@pytest.fixture
def watch(live: Live, provider: ProviderProcess) -> Iterator[Watch]:
    """Nothing complains, a Content-Security-Policy least of all."""
    watch = Watch(live.url)
    watch.expect(rf"foreign: \w+ {provider.url}/(sso\?|chosen$|begin\?|favicon.ico)")
    yield watch
    assert watch.complaints == []


@pytest.fixture
def page(chromium: Browser, watch: Watch, live: Live) -> Iterator[Page]:
    with chromium.new_context(timezone_id="Europe/Berlin") as context:
        context.set_default_timeout(SECONDS_TO_APPEAR * 1000)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live.url)
        watch.over(context)
        yield context.new_page()
