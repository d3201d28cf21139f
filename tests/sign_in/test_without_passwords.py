"""PORTAL_PASSWORD_SIGN_IN=off: single sign-on is the only way in."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from portal.models import User
from tests.identity_provider import ErringProvider
from tests.sign_in.conftest import Browser

pytestmark = pytest.mark.django_db

PASSWORD = "a password of the person's own"


@pytest.fixture(autouse=True)
def _off(settings: Settings) -> None:
    settings.PASSWORD_SIGN_IN = False


def test_the_sign_in_page_has_the_button_alone(browser: Browser) -> None:
    page = browser.get("/accounts/login/").content.decode()
    assert "sso-button" in page
    assert 'name="password"' not in page


def test_a_right_password_lets_nobody_in(browser: Browser, engineer: User) -> None:
    engineer.set_password(PASSWORD)
    engineer.save()
    answer = browser.post("/accounts/login/", {"login": engineer.email, "password": PASSWORD})
    assert answer.status_code == 403
    assert "use single sign-on" in answer.content.decode()
    assert not browser.is_signed_in


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/password/reset/",
        "/accounts/password/reset/key/x-x/",
        "/accounts/password/change/",
        "/accounts/password/set/",
    ],
)
def test_there_is_no_page_about_a_password(
    browser: Browser, provider: ErringProvider, engineer: User, path: str
) -> None:
    provider.person(engineer.email)
    assert Client().post(path).status_code in (302, 404)
    browser.sign_in(engineer.email)
    assert "Change password" not in browser.get("/tokens/").content.decode()
    assert browser.get(path).status_code == 404


def test_nobody_is_invited_to_set_a_password(
    browser: Browser, provider: ErringProvider, engineer: User, settings: Settings
) -> None:
    settings.PASSWORD_SIGN_IN = True
    out = io.StringIO()
    call_command("invite", engineer.email, stdout=out)
    link = out.getvalue().strip().removeprefix(settings.PORTAL_ORIGIN)
    settings.PASSWORD_SIGN_IN = False
    with pytest.raises(CommandError, match="PORTAL_PASSWORD_SIGN_IN is off"):
        call_command("invite", engineer.email)
    said = {"password1": PASSWORD, "password2": PASSWORD}
    assert Client().get(link).status_code == Client().post(link, said).status_code == 410
    engineer.refresh_from_db()
    assert not engineer.has_usable_password()


def test_a_step_up_leads_to_the_provider_whoever_had_a_password(
    browser: Browser, provider: ErringProvider, auditor: User
) -> None:
    auditor.set_password(PASSWORD)
    auditor.save()
    browser.force_login(auditor)
    answer = browser.get("/accounts/reauthenticate/?next=/audit/")
    assert answer.headers["Location"].startswith(f"{provider.issuer}/authorize?")
    assert browser.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302
    assert browser.get("/audit/export.csv").status_code == 302
