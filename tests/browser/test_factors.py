"""Second factors and sessions in a real browser; passkeys by Chromium's own virtual authenticator.

On ``localhost``: no browser takes an address of numbers for a passkey's name.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right
from tests.browser.watch import Watch
from tests.totp import code_of
from tests.views.factors import PASSWORD

MAKE_PERSON = """
from portal.models import User
User.objects.create_user({email!r}, {password!r})
"""


@dataclass(frozen=True, slots=True)
class Home:
    """A person who is no demo person, and where they reach the portal."""

    url: str
    email: str

    def fill_in(self, page: Page) -> None:
        page.goto(f"{self.url}/accounts/login/")
        page.get_by_label("Email").fill(self.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()

    def sign_in(self, page: Page) -> None:
        self.fill_in(page)
        expect(page).to_have_url(f"{self.url}/tokens/")

    def sign_out(self, page: Page) -> None:
        page.locator("summary").filter(has_text=self.email).click()
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(re.compile("/accounts/login/"))

    def add_app(self, page: Page) -> tuple[str, list[str]]:
        """The seed, and the recovery codes that the page showed."""
        page.goto(f"{self.url}/accounts/2fa/totp/activate/")
        seed = page.get_by_label("Secret, for apps").input_value()
        page.get_by_label("Code that the app shows").fill(code_of(seed, periods=-1))
        page.get_by_role("button", name="Add the app").click()
        codes = page.get_by_label("Your recovery codes").input_value().split()
        page.get_by_role("button", name="I have saved them").click()
        expect(page).to_have_url(f"{self.url}/accounts/2fa/")
        return seed, codes

    def add_passkey(self, page: Page, name: str) -> None:
        page.goto(f"{self.url}/accounts/2fa/webauthn/add/")
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Make a passkey").click()


@pytest.fixture
def home(live: Live) -> Home:
    email = f"{secrets.token_hex(4)}@example.com"
    live.run(MAKE_PERSON.format(email=email, password=PASSWORD))
    return Home(live.url.replace("127.0.0.1", "localhost"), email)


@pytest.fixture
def watch(live: Live) -> Iterator[Watch]:
    watch = Watch(live.url.replace("127.0.0.1", "localhost"))
    yield watch
    assert watch.complaints == []


@pytest.fixture
def device(page: Page) -> CDPSession:
    """A laptop with a finger's reader, as this page's browser sees it."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable", {"enableUI": False})
    return session


@pytest.fixture
def authenticator(device: CDPSession) -> str:
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return str(made["authenticatorId"])


def test_an_app_is_added_from_the_menu_and_its_code_lets_in(home: Home, page: Page) -> None:
    home.sign_in(page)
    page.locator("summary").filter(has_text=home.email).click()
    page.get_by_role("link", name="Second factors").click()
    page.get_by_role("link", name="Add an app").click()
    expect(page.get_by_role("img", name="The secret as a QR code")).to_be_visible()
    seed, _ = home.add_app(page)
    home.sign_out(page)
    home.fill_in(page)
    expect(page.get_by_role("heading", name="And your second factor")).to_be_visible()
    page.get_by_label("Code").fill(code_of(seed))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{home.url}/tokens/")


def test_a_recovery_code_lets_in_once(home: Home, page: Page, watch: Watch) -> None:
    watch.expect_status(422)
    home.sign_in(page)
    _, codes = home.add_app(page)
    home.sign_out(page)
    home.fill_in(page)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{home.url}/tokens/")
    home.sign_out(page)
    home.fill_in(page)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This code is wrong, or it was used already")).to_be_visible()


@pytest.mark.usefixtures("authenticator")
def test_a_passkey_lets_in_without_the_password(home: Home, page: Page) -> None:
    home.sign_in(page)
    home.add_passkey(page, "my laptop")
    page.get_by_role("button", name="I have saved them").click()
    expect(page.get_by_text("my laptop").first).to_be_visible()
    home.sign_out(page)
    page.goto(f"{home.url}/accounts/login/?next=/tokens/new/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{home.url}/tokens/new/")


@pytest.mark.usefixtures("authenticator")
def test_a_passkey_stands_in_for_a_code(home: Home, page: Page) -> None:
    home.sign_in(page)
    home.add_passkey(page, "")
    page.get_by_role("button", name="I have saved them").click()
    home.sign_out(page)
    home.fill_in(page)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{home.url}/tokens/")


def test_a_finger_that_does_not_fit_is_said_and_tried_again(
    home: Home, page: Page, device: CDPSession, authenticator: str
) -> None:
    home.sign_in(page)
    device.send(
        "WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False}
    )
    home.add_passkey(page, "my laptop")
    expect(page.get_by_role("alert")).to_contain_text("Try again")
    device.send(
        "WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": True}
    )
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("button", name="I have saved them")).to_be_visible()
    page.goto(f"{home.url}/accounts/2fa/webauthn/add/")
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("has a passkey of yours already")


def test_at_an_address_of_numbers_the_page_says_where_passkeys_work(
    home: Home, live: Live, new_context: Callable[..., BrowserContext], watch: Watch
) -> None:
    watch.expect("foreign: ")
    page = new_context().new_page()
    there = Home(live.url, home.email)
    there.sign_in(page)
    page.goto(f"{live.url}/accounts/2fa/webauthn/add/")
    expect(page.get_by_text("Passkeys of this portal work at localhost")).to_be_visible()
    expect(page.get_by_role("button", name="Make a passkey")).to_be_hidden()


def test_another_browser_s_session_is_ended_from_the_list(
    home: Home, page: Page, new_context: Callable[..., BrowserContext]
) -> None:
    other = new_context(user_agent="Mozilla/5.0 (Macintosh; Mac OS X) Safari/605.1").new_page()
    home.sign_in(other)
    home.sign_in(page)
    page.locator("summary").filter(has_text=home.email).click()
    page.get_by_role("link", name="Sessions").click()
    table = page.get_by_test_id("sessions-table")
    expect(table.get_by_role("row")).to_have_count(3)
    table.get_by_role("row").filter(has_text="Safari on macOS").get_by_role("button").click()
    expect(page.get_by_text("One session was ended.")).to_be_visible()
    other.goto(f"{home.url}/tokens/")
    expect(other).to_have_url(re.compile("/accounts/login/"))
    home.sign_in(other)
    page.reload()
    page.get_by_role("button", name="End all other sessions").click()
    expect(page.get_by_text("There is no other session.")).to_be_visible()


@pytest.mark.usefixtures("authenticator")
def test_the_pages_of_factors_and_sessions_look_right(
    home: Home, page: Page, new_context: Callable[..., BrowserContext], watch: Watch
) -> None:
    watch.expect_status(422)
    other = new_context().new_page()
    for one in (page, other):
        one.emulate_media(reduced_motion="reduce")
    home.sign_in(page)
    for path in ("", "totp/activate/", "webauthn/add/"):
        page.goto(f"{home.url}/accounts/2fa/{path}")
        assert_looks_right(page)
    page.goto(f"{home.url}/accounts/2fa/totp/activate/")
    seed = page.get_by_label("Secret, for apps").input_value()
    page.get_by_label("Code that the app shows").fill(code_of(seed, periods=-1))
    page.get_by_role("button", name="Add the app").click()
    expect(page.get_by_label("Your recovery codes")).to_be_visible()
    assert_looks_right(page)
    page.get_by_role("button", name="I have saved them").click()
    home.add_passkey(page, "my laptop")
    expect(page.get_by_text("my laptop").first).to_be_visible()
    assert_looks_right(page)
    page.get_by_role("link", name="Rename").click()
    assert_looks_right(page)
    for path in ("totp/deactivate/", "recovery-codes/", "recovery-codes/generate/"):
        page.goto(f"{home.url}/accounts/2fa/{path}")
        assert_looks_right(page)
    home.fill_in(other)
    other.get_by_label("Code").fill("000000")
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_text("This code is wrong")).to_be_visible()
    assert_looks_right(other)
    page.goto(f"{home.url}/accounts/sessions/")
    assert_looks_right(page)
    for path in ("2fa/reauthenticate/", "2fa/webauthn/reauthenticate/"):
        page.goto(f"{home.url}/accounts/{path}")
        assert_looks_right(page)
