"""Sign-in by SAML as a person meets it, across two sites and with their cookies' rules."""

import re

from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import request_token, take_key
from tests.browser.watch import Watch
from tests.saml.process import ProviderProcess


def choose(page: Page, provider: ProviderProcess, email: str) -> None:
    """On the provider's page: be this person."""
    expect(page).to_have_url(re.compile(rf"^{re.escape(provider.url)}/sso\?"))
    page.get_by_role("button", name=email).click()


def test_the_provider_is_another_site(live: Live, provider: ProviderProcess) -> None:
    """So that its page's POST comes without the session, as a company's does."""
    assert "//localhost:" in provider.url
    assert "//127.0.0.1:" in live.url


def test_somebody_signs_in_where_they_wanted_to_be_and_takes_a_key(
    page: Page, live: Live, provider: ProviderProcess
) -> None:
    page.goto(f"{live.url}/tokens/new/")
    page.get_by_role("button", name="Continue with single sign-on").click()
    choose(page, provider, "engineer@example.com")
    expect(page).to_have_url(f"{live.url}/tokens/new/")
    request_token(page)
    assert live.answers_to(take_key(page)) == 200


def test_a_group_makes_somebody_new_a_lead(
    page: Page, live: Live, provider: ProviderProcess
) -> None:
    page.goto(f"{live.url}/accounts/login/")
    page.get_by_test_id("sso-button").click()
    choose(page, provider, "new@example.com")
    expect(page).to_have_url(f"{live.url}/tokens/")
    expect(
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Team")
    ).to_be_visible()


def test_a_stranger_reads_which_groups_were_seen(
    page: Page, live: Live, provider: ProviderProcess, watch: Watch
) -> None:
    watch.expect_status(403)
    page.goto(f"{live.url}/accounts/login/")
    page.get_by_test_id("sso-button").click()
    choose(page, provider, "stranger@example.com")
    expect(page.get_by_role("heading", name="You have no access here yet")).to_be_visible()
    expect(page.get_by_text("canteen")).to_be_visible()


def test_a_tile_of_the_provider_s_portal_ends_in_the_portal_by_one_press(
    page: Page, live: Live, provider: ProviderProcess
) -> None:
    page.goto(f"{provider.url}/begin?person=engineer@example.com&RelayState=/tokens/new/")
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    page.get_by_test_id("sso-button").click()
    choose(page, provider, "engineer@example.com")
    expect(page).to_have_url(f"{live.url}/tokens/new/")


def test_a_step_up_leads_to_the_provider_and_back(
    page: Page, live: Live, provider: ProviderProcess
) -> None:
    page.goto(f"{live.url}/accounts/login/")
    page.get_by_test_id("sso-button").click()
    choose(page, provider, "admin@example.com")
    expect(page).to_have_url(f"{live.url}/tokens/")
    page.goto(f"{live.url}/admin/")
    choose(page, provider, "admin@example.com")
    expect(page).to_have_url(f"{live.url}/admin/")
    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
