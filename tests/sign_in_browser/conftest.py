"""Chromium on a portal that a company's provider signs people in to."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import launch
from tests.browser.conftest import SECONDS_TO_APPEAR
from tests.browser.live import Live
from tests.browser.watch import Watch
from tests.identity_provider import ErringProvider, running
from tests.product import Product

STEP_UP_SECONDS = 15
ACCESS = """
version: 1
connections:
  main: {}
people:
  - {email: admin@example.com, admin: true, auditor: true}
auditor_idp_groups: [security]
teams:
  platform:
    leads: [admin@example.com, lead@example.com]
    members: [engineer@example.com]
    idp_groups: [grafana-platform]
    lead_idp_groups: [grafana-leads]
    grants:
      - {workspace: observability-prod}
      - {workspace: observability-staging, approval: always}
"""


@pytest.fixture(scope="package")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Not running yet: the provider must know its address."""
    file: Path = tmp_path_factory.mktemp("access") / "access.yaml"
    file.write_text(ACCESS)
    product = Product(
        PORTAL_RATE_LIMITS="off",
        PORTAL_ACCESS_FILE=str(file),
        PORTAL_STEP_UP_SECONDS=str(STEP_UP_SECONDS),
        PORTAL_OIDC_NAME="Example ID",
    )
    yield product
    product.close()


@pytest.fixture(scope="package")
def the_provider(product: Product) -> Iterator[ErringProvider]:
    with running(product.url) as provider:
        yield provider


@pytest.fixture(scope="package")
def live(product: Product, the_provider: ErringProvider) -> Iterator[Live]:
    product.environment |= {
        "PORTAL_OIDC_ISSUER": the_provider.issuer,
        "PORTAL_OIDC_CLIENT_ID": the_provider.client_id,
        "PORTAL_OIDC_CLIENT_SECRET": the_provider.client_secret,
    }
    product.start()
    live = Live(product)
    yield live
    live.close()


@pytest.fixture
def provider(the_provider: ErringProvider, live: Live) -> ErringProvider:
    the_provider.reset()
    return the_provider


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright, launch(playwright) as browser:
        yield browser


@pytest.fixture
def watch(live: Live, provider: ErringProvider) -> Iterator[Watch]:
    """Nothing complains, a Content-Security-Policy least of all."""
    watch = Watch(live.url)
    watch.expect(rf"foreign: \w+ {provider.issuer}/(authorize|choose|end-session)\b")
    watch.expect(rf"foreign: GET {provider.issuer}/favicon.ico")
    yield watch
    assert watch.complaints == []


@pytest.fixture
def page(chromium: Browser, watch: Watch, live: Live) -> Iterator[Page]:
    with chromium.new_context(timezone_id="Europe/Berlin") as context:
        context.set_default_timeout(SECONDS_TO_APPEAR * 1000)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live.url)
        watch.over(context)
        yield context.new_page()


def choose(page: Page, provider: ErringProvider, email: str) -> None:
    """On the provider's page: be this person."""
    expect(page).to_have_url(re.compile(rf"^{re.escape(provider.issuer)}/authorize"))
    page.get_by_role("button", name=email).click()


def sign_in(page: Page, live: Live, provider: ErringProvider, email: str) -> None:
    page.goto(f"{live.url}/accounts/login/")
    page.get_by_test_id("sso-button").click()
    choose(page, provider, email)
    expect(page).to_have_url(f"{live.url}/tokens/")
