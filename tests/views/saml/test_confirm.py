"""Step-up by SAML: the provider asks the person again, and only its word on when counts."""

import time
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from portal.models import User
from tests.saml.process import ProviderProcess
from tests.views.saml.conftest import Browser, events

pytestmark = pytest.mark.django_db

ADMIN = "/admin/portal/team/"


@pytest.fixture
def signed_in(admin: User, browser: Browser) -> Browser:
    browser.sign_in(name_id=admin.email)
    assert browser.person == admin.email
    return browser


def to_provider(browser: Browser) -> dict[str, object]:
    """Go on from a page that wants a step-up; returns what the provider is asked."""
    answer = browser.client.get(ADMIN)
    for page in ("/accounts/reauthenticate/", "/accounts/saml/sso/confirm/"):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(page)
        answer = browser.client.get(answer.headers["Location"])
    browser.go(answer.headers["Location"])
    return browser._provider.asked(browser.sent["SAMLRequest"])


def at(seconds_ago: float) -> list[list[str]]:
    moment = datetime.fromtimestamp(time.time() - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [['AuthnInstant="[^"]*"', f'AuthnInstant="{moment}"']]


def test_the_provider_asks_again_and_one_comes_back(signed_in: Browser, admin: User) -> None:
    assert to_provider(signed_in)["force_authn"] == "true"
    answer = signed_in.arrive(signed_in.answer(name_id=admin.email))
    assert (answer.status_code, answer.headers["Location"]) == (302, ADMIN)
    assert signed_in.client.get(ADMIN).status_code == 200


def test_a_sign_in_of_long_ago_is_no_proof(
    signed_in: Browser, admin: User, settings: Settings
) -> None:
    settings.STEP_UP_SECONDS = 120
    to_provider(signed_in)
    answer = signed_in.arrive(signed_in.answer(name_id=admin.email, edits=at(200)))
    assert (answer.status_code, events()[-1][2]) == (403, "auth_time_old")
    assert signed_in.person == admin.email, "but they stay signed in"
    assert signed_in.client.get(ADMIN).status_code == 302


def test_a_sign_in_of_tomorrow_is_no_proof(signed_in: Browser, admin: User) -> None:
    to_provider(signed_in)
    answer = signed_in.arrive(signed_in.answer(name_id=admin.email, edits=at(-3600)))
    assert (answer.status_code, events()[-1][2]) == (403, "too_early")


def test_somebody_else_proves_nothing(signed_in: Browser, lead: User, admin: User) -> None:
    to_provider(signed_in)
    answer = signed_in.arrive(signed_in.answer(name_id=lead.email))
    assert (answer.status_code, events()[-1][2]) == (403, "another_person")
    assert signed_in.person == admin.email


def test_an_ordinary_answer_is_no_step_up(
    signed_in: Browser, admin: User, provider: ProviderProcess
) -> None:
    """What began as a sign-in ends as one."""
    signed_in.sign_in(name_id=admin.email)
    assert signed_in.client.get(ADMIN).status_code == 302


def test_nobody_confirms_who_is_not_signed_in(browser: Browser) -> None:
    answer = browser.client.get("/accounts/saml/sso/confirm/")
    assert answer.headers["Location"].startswith("/accounts/login/")


def test_the_sign_in_page_has_a_button(browser: Browser) -> None:
    page = browser.client.get("/accounts/login/").text
    assert 'data-testid="sso-button"' in page
    assert 'action="/accounts/saml/sso/login/"' in page
