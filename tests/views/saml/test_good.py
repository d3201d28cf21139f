"""Sign-in by SAML as it should be: who comes in, as whom, and where they end."""

import base64
import re
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from portal.models import AuditEvent, Membership, User
from tests.saml.process import ProviderProcess
from tests.views.saml.conftest import (
    ACS,
    ACS_URL,
    ENTITY_ID,
    FINISH,
    LOGIN,
    METADATA,
    Browser,
    events,
)

pytestmark = pytest.mark.django_db

ENTRA_GROUPS = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
ENTRA_LINK = "http://schemas.microsoft.com/claims/groups.link"


def test_somebody_whom_the_file_names_comes_in(engineer: User, browser: Browser) -> None:
    answer = browser.sign_in()
    assert (answer.status_code, answer.headers["Location"]) == (302, "/tokens/")
    assert browser.person == engineer.email
    assert browser.client.get("/tokens/").status_code == 200
    assert events() == [("signin.succeeded", engineer.email, "")]
    event = AuditEvent.objects.get(action="signin.succeeded")
    assert (event.address, event.reason) == ("192.0.2.7", "single sign-on")


def test_the_request_says_what_iam_identity_center_takes(
    engineer: User, browser: Browser, provider: ProviderProcess
) -> None:
    browser.begin()
    assert provider.asked(browser.sent["SAMLRequest"]) == {
        "id": browser.request,
        "acs": ACS_URL,
        "issuer": ENTITY_ID,
        "force_authn": None,
        "name_id_format": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
        "destination": f"{provider.url}/sso",
    }
    assert "?" not in ACS_URL
    assert set(browser.sent) == {"SAMLRequest", "RelayState"}


def test_one_comes_back_to_where_one_wanted_to_be(engineer: User, browser: Browser) -> None:
    way = "/tokens/new/?name=ci"
    answer = browser.sign_in(way)
    assert browser.sent["RelayState"] == way
    assert answer.headers["Location"] == way


def test_a_way_that_is_too_long_for_relay_state_is_kept_here(
    engineer: User, browser: Browser
) -> None:
    way = "/tokens/new/?reason=" + "x" * 80
    answer = browser.sign_in(way)
    assert "RelayState" not in browser.sent
    assert answer.headers["Location"] == way


@pytest.mark.parametrize(
    "way",
    [
        "https://evil.example.com/",
        "//evil.example.com/",
        "\\\\evil.example.com",
        "/\\evil.example.com",
        "javascript:alert(1)",
        "/tokens/\r\nSet-Cookie: a=b",
        "/tokens/\0",
        "/" * 100_000,
        "\U000e0001",
    ],
    ids=lambda way: repr(way)[:30],
)
def test_nobody_is_sent_elsewhere(engineer: User, browser: Browser, way: str) -> None:
    assert browser.sign_in(way).headers["Location"] == "/tokens/"
    other = browser.begin()
    answer = other.arrive(other.answer(), relay_state=way)
    assert answer.headers["Location"] == "/tokens/"


def test_no_answer_of_the_provider_stays_behind(engineer: User, browser: Browser) -> None:
    browser.sign_in()
    assert Session.objects.count() == 1
    assert "saml-arrival" not in {name for name, one in browser.client.cookies.items() if one.value}


def test_no_log_holds_an_answer(
    engineer: User, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    browser.begin()
    xml = browser.answer()
    browser.arrive(xml)
    browser.arrive(xml.replace("engineer@", "admin@"))
    found = re.search(r"SignatureValue>(\S{40})", xml)
    assert found is not None
    for part in (found[1], base64.b64encode(xml.encode()).decode()[100:140], "SAMLResponse"):
        assert part not in caplog.text


def test_the_cookie_of_an_arrival_goes_nowhere_else(engineer: User, browser: Browser) -> None:
    browser.begin()
    cookie = browser.post(browser.answer()).cookies["saml-arrival"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (FINISH, True, "Lax")


@pytest.mark.parametrize("sign_response", [False, True])
@pytest.mark.parametrize("name_id_format", ["emailAddress", "persistent", "unspecified"])
def test_a_person_is_bound_to_the_subject_once_by_the_address(
    engineer: User, browser: Browser, name_id_format: str, sign_response: bool
) -> None:
    told: dict[str, Any] = {
        "format": name_id_format,
        "name_id": "a81b-7",
        "sign_response": sign_response,
    }
    if name_id_format == "emailAddress":
        told["name_id"] = "Engineer@Example.com"
    browser.sign_in(**told, attributes={"email": ["engineer@example.com"]})
    assert browser.person == engineer.email
    browser.client.post("/accounts/logout/")
    browser.sign_in(**told)
    assert browser.person == engineer.email, "afterwards the subject alone says who it is"


def test_a_transient_name_is_nobody_s_and_the_address_tells(
    engineer: User, browser: Browser
) -> None:
    for name_id in ("_one", "_two"):
        browser.sign_in(
            format="transient", name_id=name_id, attributes={"email": ["engineer@example.com"]}
        )
        assert browser.person == engineer.email
        browser.client.post("/accounts/logout/")
    refused = browser.sign_in(format="transient", name_id="_three")
    assert (refused.status_code, events()[-1][2]) == (403, "no_name_id")


def test_another_subject_with_the_address_of_somebody_is_refused(
    engineer: User, browser: Browser
) -> None:
    for name_id, status in (("one", 302), ("two", 403)):
        answer = browser.sign_in(
            format="persistent", name_id=name_id, attributes={"email": ["engineer@example.com"]}
        )
        assert answer.status_code == status
    assert events()[-1] == ("signin.failed", engineer.email, "bound_to_another")


def test_groups_make_somebody_and_their_rights(mapping: None, browser: Browser) -> None:
    groups = ["grafana-platform", "portal-admins", "canteen"]
    browser.sign_in(
        name_id="newcomer@example.com",
        attributes={"groups": groups, "displayName": ["New\n Co\u202emer"]},
    )
    person = User.objects.get(email="newcomer@example.com")
    assert (browser.person, person.is_admin, person.name) == (person.email, True, "New Comer")
    assert Membership.objects.get(user=person).role == "member"
    browser.client.post("/accounts/logout/")
    browser.sign_in(name_id=person.email, attributes={ENTRA_GROUPS: ["0a1b2c3d-leads"]})
    person.refresh_from_db()
    assert (person.is_admin, Membership.objects.get(user=person).role) == (False, "lead")


def test_an_attribute_may_have_the_name_that_the_setting_gives(
    mapping: None, browser: Browser, settings: Settings
) -> None:
    settings.SAML = replace(settings.SAML, email_attribute="Adresse", groups_attribute="memberOf")
    browser.sign_in(
        format="persistent",
        name_id="17",
        attributes={
            "Adresse": ["newcomer@example.com"],
            "email": ["somebody-else@example.com"],
            "memberOf": ["grafana-platform"],
            "groups": ["portal-admins"],
        },
    )
    person = User.objects.get(email="newcomer@example.com")
    assert (browser.person, person.is_admin) == (person.email, False)


def test_who_is_in_no_group_that_means_something_is_told_what_was_seen(
    mapping: None, browser: Browser
) -> None:
    answer = browser.sign_in(
        name_id="stranger@example.com", attributes={"groups": ["canteen", "choir"]}
    )
    assert answer.status_code == 403
    for said in ("stranger@example.com", "canteen", "choir"):
        assert said in answer.text
    assert not User.objects.filter(email="stranger@example.com").exists()
    assert events() == [("signin.failed", "unknown", "not_admitted")]
    assert browser.person == ""


@pytest.mark.parametrize("link", [ENTRA_LINK, "groups.link"])
def test_groups_that_entra_left_out_for_their_number_stay_as_they_were(
    mapping: None, browser: Browser, link: str
) -> None:
    groups = {"groups": ["grafana-platform", "portal-admins"]}
    browser.sign_in(name_id="newcomer@example.com", attributes=groups)
    browser.client.post("/accounts/logout/")
    left_out = {link: ["https://graph.windows.net/1/users/2/getMemberObjects"]}
    browser.sign_in(name_id="newcomer@example.com", attributes=left_out)
    person = User.objects.get(email="newcomer@example.com")
    assert (browser.person, person.is_admin) == (person.email, True)
    assert "sent no list of your groups" in browser.client.get("/tokens/").text
    last = AuditEvent.objects.filter(action="signin.succeeded").order_by("seq").last()
    assert last is not None
    assert "no list of groups" in last.reason
    browser.client.post("/accounts/logout/")
    refused = browser.sign_in(name_id=person.email)
    assert refused.status_code == 403, "no groups at all are something else"
    person.refresh_from_db()
    assert not person.is_admin


def test_five_thousand_groups_are_read(mapping: None, browser: Browser) -> None:
    groups = [f"department-{number:04}-of-a-large-company" for number in range(5000)]
    browser.sign_in(
        name_id="newcomer@example.com", attributes={"groups": [*groups, "grafana-platform"]}
    )
    assert browser.person == "newcomer@example.com"


def test_the_sign_in_page_is_where_a_tile_of_the_provider_leads(
    engineer: User, browser: Browser
) -> None:
    answer = browser.client.get(LOGIN, {"next": "/team/"})
    assert answer.headers["Location"] == "/accounts/login/?next=%2Fteam%2F"


def test_a_sign_in_that_began_at_the_provider_goes_on_by_a_button(
    engineer: User, browser: Browser
) -> None:
    """Somebody else's page could have brought the browser here with their own answer."""
    answer = browser.arrive(browser.answer(request=None), relay_state="/team/")
    assert (answer.status_code, browser.person) == (200, "")
    assert 'value="/team/"' in answer.text
    assert f'action="{LOGIN}"' in answer.text
    assert events() == []
    assert browser.sign_in("/team/").headers["Location"] == "/team/"


def test_who_is_in_already_goes_on_from_the_provider_at_once(
    engineer: User, browser: Browser
) -> None:
    browser.sign_in()
    answer = browser.arrive(browser.answer(request=None), relay_state="")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/tokens/")
    other = browser.arrive(browser.answer(request=None, name_id="lead@example.com"))
    assert (other.status_code, browser.person) == (200, engineer.email)


def test_without_a_provider_there_is_no_such_page(db: None) -> None:
    client = Client()
    for path in (FINISH, METADATA):
        assert client.get(path).status_code == 404
    assert client.post(LOGIN).status_code == 404
    assert client.post(ACS, {"SAMLResponse": "eA=="}).status_code == 404
    assert "saml" not in client.get("/accounts/login/").text


@pytest.mark.parametrize("path", [LOGIN, ACS])
def test_who_opens_what_only_takes_forms_finds_the_sign_in(browser: Browser, path: str) -> None:
    assert browser.client.get(path).headers["Location"] == "/accounts/login/"
