"""A provider that is away or has a new key, and answers that are nonsense in any way."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings, strategies
from pytest_django import Settings

from portal.identity.saml import metadata
from portal.limits.table import SINGLE_SIGN_ONS_FROM
from portal.models import User
from tests.saml.process import ProviderProcess
from tests.views.saml.conftest import ACS, AGENT, LOGIN, METADATA, Browser, events

pytestmark = pytest.mark.django_db


def test_who_wants_to_sign_in_reads_that_the_provider_is_away(
    provider: ProviderProcess, settings: Settings
) -> None:
    settings.SAML = replace(settings.SAML, metadata="http://127.0.0.1:9/metadata")
    client = Client(headers=AGENT)
    answer = client.post(LOGIN)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert events() == [("signin.failed", "unknown", "provider_away")]
    assert client.post(ACS, {"SAMLResponse": "x"}).status_code == 503
    assert client.get(METADATA).status_code == 200, "the portal's own do not wait for it"


def test_what_the_provider_says_of_itself_may_be_nonsense(
    provider: ProviderProcess, settings: Settings, tmp_path: Path
) -> None:
    place = tmp_path / "metadata.xml"
    place.write_text("<html>Maintenance</html>")
    settings.SAML = replace(settings.SAML, metadata=str(place))
    answer = Client(headers=AGENT).post(LOGIN)
    assert answer.status_code == 502
    assert "describes 0 identity providers" in answer.text


def test_a_new_key_of_the_provider_s_works_at_once(
    engineer: User,
    browser: Browser,
    provider: ProviderProcess,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the portal has kept is an hour old at most, and looked at anew for a signature."""
    known = metadata.load(provider.entity_id).decode()
    _, _, rest = known.partition("X509Certificate>")
    certificate, _, _ = rest.partition("<")
    place = tmp_path / "metadata.xml"
    place.write_text(known.replace(certificate, certificate[::-1]))
    settings.SAML = replace(settings.SAML, metadata=str(place))
    xml = browser.begin().answer()
    place.write_text(known)
    monkeypatch.setattr(metadata, "AGAIN_SECONDS", 0.0)
    assert browser.arrive(xml).status_code == 302
    assert browser.person == engineer.email


def test_a_flood_of_documents_meets_a_limit_and_sign_ins_do_not(
    engineer: User, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(SINGLE_SIGN_ONS_FROM, burst=5, seconds=3600)
    monkeypatch.setattr("portal.views.accounts.saml.SINGLE_SIGN_ONS_FROM", few)
    for _ in range(3):
        assert browser.sign_in().status_code == 302
        browser.client.post("/accounts/logout/")
    browser.begin()
    xml = browser.answer()
    assert browser.post(xml.replace("engineer@", "admin@")).status_code == 403
    assert browser.post(xml).status_code == 429
    assert browser.client.post(LOGIN).status_code == 429


def test_a_program_is_sent_to_the_provider_by_a_redirect_and_a_browser_by_a_page(
    engineer: User, browser: Browser, provider: ProviderProcess
) -> None:
    assert browser.client.post(LOGIN).status_code == 302
    answer = browser.client.post(LOGIN, headers={"sec-fetch-dest": "document"})
    assert answer.status_code == 200
    assert answer.headers["Refresh"].startswith(f"0; url={provider.url}/sso?SAMLRequest=")


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=strategies.integers(0, 2**32))
def test_whatever_is_changed_in_an_answer_nobody_else_comes_in(
    engineer: User, admin: User, provider: ProviderProcess, browser: Browser, seed: int
) -> None:
    """And it ends on a page: the test's client raises what would be a 500."""
    if not browser.request:
        browser.begin()
        browser.sent["xml"] = browser.answer(attributes={"groups": ["a", "b"]})
    choice = random.Random(seed)
    text = browser.sent["xml"]
    for _ in range(choice.randint(1, 3)):
        place = choice.randrange(len(text))
        length = choice.choice((0, 1, 5, 40, 400))
        new = choice.choice(
            ("", "x", "<a/>", "&amp;", '"', ">", "\u00e9", text[:300], text[place:][:500])
        )
        text = text[:place] + new + text[place + length :]
    answer = browser.post(text)
    if answer.status_code == 302:  # what was changed is not signed, and says nothing
        answer = browser.client.get("/accounts/saml/sso/finish/")
    assert answer.status_code in (200, 302, 400, 403)
    assert browser.person in ("", engineer.email)
