"""Where a fresh proof is asked for, and where it is not, for both kinds of people."""

import re
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import fill_in, new_name, open_form, says
from tests.identity_provider import ErringProvider
from tests.person import KeyPair, Person
from tests.sign_in_browser.conftest import STEP_UP_SECONDS, sign_in

WHO = "admin@example.com"
"""Admin, auditor and lead: may go everywhere."""
PRODUCTION, STAGING = "g-1a2b3c4d5e", "g-2b3c4d5e6f"


class Tokens(NamedTuple):
    """Ids of requests, and names of live tokens."""

    to_approve: str
    to_deny: str
    to_collect: str
    to_reissue: str
    names: list[str]


@pytest.fixture
def tokens(live: Live) -> Tokens:
    """What stands in each place. Whoever makes them has just signed in."""
    engineer = live.product.sign_in("engineer@example.com")
    names = [new_name() for _ in range(3)]
    for name in names:
        take(engineer, PRODUCTION, "dashboards-ci", name)
    to_approve, to_deny = (
        ask(engineer, KeyPair(), STAGING, "dashboards-ci", new_name()) for _ in range(2)
    )
    admin = live.product.sign_in(WHO)
    to_reissue = take(admin, PRODUCTION, "terraform", new_name())
    to_collect = ask(admin, KeyPair(), STAGING, "terraform", new_name())
    lead = live.product.sign_in("lead@example.com")
    assert lead.post(f"/tokens/{to_collect}/approve/").status_code == 302
    return Tokens(to_approve, to_deny, to_collect, to_reissue, names)


def ask(person: Person, keys: KeyPair, workspace: str, account: str, name: str) -> str:
    listed = person.get(f"/tokens/accounts/?workspace={workspace}").json()["accounts"]
    wanted = next(one["id"] for one in listed if one["name"].strip("\u2068\u2069") == account)
    said = {"workspace": workspace, "service_account": wanted, "name": name}
    return person.request(keys, **said, seconds_to_live="3600")


def take(person: Person, workspace: str, account: str, name: str) -> str:
    keys = KeyPair()
    token = ask(person, keys, workspace, account, name)
    person.take(keys, token)
    return token


def by_password(page: Page, live: Live, _: ErringProvider) -> Callable[[], None]:
    live.sign_in(page, WHO)
    return lambda: expect(page.get_by_role("heading", name="Is it still you?")).to_be_visible()


def by_single_sign_on(page: Page, live: Live, provider: ErringProvider) -> Callable[[], None]:
    provider.person(WHO)
    sign_in(page, live, provider, WHO)
    authorize = re.compile(rf"^{re.escape(provider.issuer)}/authorize\?.*prompt=login")
    return lambda: expect(page).to_have_url(authorize)


@pytest.mark.parametrize("come_in", [by_password, by_single_sign_on])
def test_a_proof_is_asked_for_in_each_place_and_nowhere_else(
    page: Page,
    live: Live,
    provider: ErringProvider,
    tokens: Tokens,
    come_in: Callable[[Page, Live, ErringProvider], Callable[[], None]],
) -> None:
    expect_asked = come_in(page, live, provider)
    until = time.monotonic() + STEP_UP_SECONDS + 1
    page.wait_for_timeout(max(0.0, until - time.monotonic()) * 1000)  # the sign-in grows old

    open_form(page)
    fill_in(page, new_name(), account="terraform")
    page.get_by_role("button", name="Request token").click()
    expect_asked()
    page.goto(f"{live.url}/tokens/{tokens.to_collect}/")
    page.get_by_role("button", name="Make my key now").click()
    expect_asked()
    page.goto(f"{live.url}/tokens/{tokens.to_reissue}/reissue/")
    page.get_by_role("button", name="Renew the token").click()
    expect_asked()
    page.goto(f"{live.url}/tokens/{tokens.to_approve}/")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect_asked()
    end(page, live, *tokens.names[:2])
    expect_asked()
    for link in ("CSV", "JSON Lines"):
        page.goto(f"{live.url}/audit/")
        page.get_by_role("link", name=link).click()
        expect_asked()
    page.goto(f"{live.url}/admin/")
    expect_asked()

    for path in ("/audit/", "/inventory/", "/team/platform/", "/audit/find/"):
        page.goto(f"{live.url}{path}")
        expect(page).to_have_url(f"{live.url}{path}")
    page.goto(f"{live.url}/tokens/{tokens.to_deny}/")
    page.get_by_text("Deny…").click()
    page.get_by_label("Reason", exact=True).fill("not now")
    page.get_by_role("button", name="Deny this request").click()
    expect(page.get_by_text("Denied:")).to_be_visible()
    end(page, live, tokens.names[2])
    expect(says(page, "All 1 ended.")).to_be_visible()


def end(page: Page, live: Live, *names: str) -> None:
    page.goto(f"{live.url}/team/platform/")
    for name in names:
        page.get_by_label(f"Choose {name}").check()
    page.get_by_role("button", name="Revoke the chosen…").click()
    page.get_by_label("Reason").fill("a test")
    page.get_by_role("button", name=re.compile(r"Revoke \d tokens?$")).click()
