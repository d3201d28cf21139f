"""An answer of SAML is good once, here, now, and in the browser that asked for it."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal.flows.spend_assertion import forget_spent_assertions, spend_assertion
from portal.models import SpentAssertion, User
from tests.saml.process import ProviderProcess
from tests.views.saml.conftest import ACS_URL, AGENT, ENTITY_ID, FINISH, Browser, events

pytestmark = pytest.mark.django_db


def refused(browser: Browser, xml: str, code: str) -> str:
    """The page that the answer ends on."""
    answer = browser.arrive(xml)
    assert (answer.status_code, browser.person) == (403, ""), answer.text
    assert events()[-1] == ("signin.failed", "unknown", code)
    return str(answer.text)


# -- Whom it is for -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "audience",
    ["https://other.example.com/", ENTITY_ID.removesuffix("/"), ENTITY_ID + "x", ENTITY_ID.upper()],
)
def test_another_audience_is_not_us(engineer: User, browser: Browser, audience: str) -> None:
    assert ENTITY_ID in refused(browser, browser.begin().answer(audience=audience), "audience")


@pytest.mark.parametrize(
    "edits",
    [
        [["<ns1:AudienceRestriction>.*?</ns1:AudienceRestriction>", ""]],
        [
            [
                "</ns1:AudienceRestriction>",
                "</ns1:AudienceRestriction><ns1:AudienceRestriction>"
                "<ns1:Audience>other</ns1:Audience></ns1:AudienceRestriction>",
            ]
        ],
    ],
    ids=["none", "of both"],
)
def test_an_answer_for_everybody_is_for_nobody(
    engineer: User, browser: Browser, edits: list[list[str]]
) -> None:
    refused(browser, browser.begin().answer(edits=edits), "audience")


@pytest.mark.parametrize(
    ("pattern", "text", "code"),
    [
        (' Destination="[^"]*"', ' Destination="https://evil.example.com/"', "destination"),
        (' Destination="[^"]*"', f' Destination="{ACS_URL}?x=1"', "destination"),
        (' Destination="[^"]*"', ' Destination=""', "destination"),
        (' Destination="[^"]*"', "", "destination"),
        (' Recipient="[^"]*"', ' Recipient="https://evil.example.com/"', "recipient"),
        (' Recipient="[^"]*"', f' Recipient="https://evil.example.com/{ACS_URL}"', "recipient"),
        (' Recipient="[^"]*"', "", "recipient"),
        ("cm:bearer", "cm:sender-vouches", "recipient"),
        ("<ns1:SubjectConfirmationData[^>]*/>", "", "recipient"),
        ("<ns1:SubjectConfirmation .*?</ns1:SubjectConfirmation>", "", "recipient"),
        (
            'cm:bearer"><ns1:SubjectConfirmationData NotOnOrAfter="[^"]*"',
            'cm:bearer"><ns1:SubjectConfirmationData',
            "recipient",
        ),
        ('(emailAddress)">', f'\\1" SPNameQualifier="{ENTITY_ID}x">', "audience"),
    ],
)
def test_it_is_meant_for_this_address_to_the_letter(
    engineer: User, browser: Browser, pattern: str, text: str, code: str
) -> None:
    said = refused(browser, browser.begin().answer(edits=[[pattern, text]]), code)
    assert ENTITY_ID in said or ACS_URL in said


# -- When -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "code"),
    [(-86_400, "expired"), (-370, "expired"), (86_400, "too_early"), (90, "too_early")],
)
def test_it_holds_for_its_minutes_alone(
    engineer: User, browser: Browser, shift: int, code: str
) -> None:
    refused(browser, browser.begin().answer(shift=shift), code)


def in_seconds(seconds: int) -> str:
    return (timezone.now() + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ('(<ns1:Conditions) NotBefore="[^"]*"', '\\1 NotBefore="{later}"'),
        ('(<ns1:Assertion [^>]*) IssueInstant="[^"]*"', '\\1 IssueInstant="{later}"'),
        ('AuthnInstant="[^"]*"', 'AuthnInstant="{later}"'),
    ],
)
def test_each_of_its_times_counts(
    engineer: User, browser: Browser, pattern: str, text: str
) -> None:
    for later, status in ((in_seconds(40), 302), (in_seconds(150), 403)):
        answer = browser.sign_in(edits=[[pattern, text.format(later=later)]])
        assert answer.status_code == status, answer.text
        browser.client.post("/accounts/logout/")
    assert events()[-1] == ("signin.failed", "unknown", "too_early")


def test_a_confirmation_that_is_not_yet_good_is_none(engineer: User, browser: Browser) -> None:
    later = f' NotBefore="{in_seconds(150)}"'
    edits = [["(<ns1:SubjectConfirmationData)", rf"\1{later}"]]
    refused(browser, browser.begin().answer(edits=edits), "too_early")


@pytest.mark.parametrize("shift", [-240, 45])
def test_clocks_may_differ_by_a_minute(engineer: User, browser: Browser, shift: int) -> None:
    browser.sign_in(shift=shift)
    assert browser.person == engineer.email


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-40T00:00:00Z", "", "9999999"])
def test_a_time_that_is_none_is_refused(engineer: User, browser: Browser, moment: str) -> None:
    edits = [['(<ns1:Conditions NotBefore=)"[^"]*"', f'\\1"{moment}"']]
    refused(browser, browser.begin().answer(edits=edits), "invalid")


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"])
def test_an_answer_that_is_good_for_ever_is_good_once(
    engineer: User, browser: Browser, end: str
) -> None:
    edits = [['NotOnOrAfter="[^"]*"', f'NotOnOrAfter="{end}"']]
    xml = browser.begin().answer(edits=edits)
    assert browser.arrive(xml).status_code == 302
    browser.client.post("/accounts/logout/")
    refused(browser, xml, "replayed")


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("0001-01-01T00:00:00Z", 302),
        ("9999-12-31T23:59:59Z", 403),
        ("0001-01-01T00:00:00+14:00", 403),
    ],
)
def test_a_sign_in_at_any_time_ends_on_a_page(
    engineer: User, browser: Browser, moment: str, status: int
) -> None:
    edits = [['AuthnInstant="[^"]*"', f'AuthnInstant="{moment}"']]
    assert browser.sign_in(edits=edits).status_code == status


def test_a_session_at_the_provider_that_is_over_is_refused(
    engineer: User, browser: Browser
) -> None:
    edits = [[" SessionIndex=", ' SessionNotOnOrAfter="2020-01-01T00:00:00Z" SessionIndex=']]
    refused(browser, browser.begin().answer(edits=edits), "expired")


# -- Once -----------------------------------------------------------------------------------------


def test_an_answer_is_good_once(engineer: User, browser: Browser) -> None:
    xml = browser.begin().answer()
    assert browser.arrive(xml).status_code == 302
    browser.client.post("/accounts/logout/")
    refused(browser, xml, "replayed")


def test_an_answer_that_nobody_asked_for_is_good_once(engineer: User, browser: Browser) -> None:
    xml = browser.answer(request=None)
    assert browser.arrive(xml).status_code == 200
    refused(browser, xml, "replayed")


def test_signed_again_around_it_an_assertion_is_the_same(engineer: User, browser: Browser) -> None:
    """The response around it is not signed: another ID of that makes nothing new."""
    xml = browser.begin().answer()
    browser.arrive(xml)
    browser.client.post("/accounts/logout/")
    refused(
        browser, xml.replace('Response xmlns:ns0="', 'Response Consent="x" xmlns:ns0="'), "replayed"
    )


def test_what_was_used_is_kept_until_it_is_good_no_longer(engineer: User, browser: Browser) -> None:
    browser.sign_in()
    row = SpentAssertion.objects.get()
    assert timedelta(minutes=5) <= row.until - timezone.now() <= timedelta(minutes=6)
    forget_spent_assertions()
    assert SpentAssertion.objects.exists()
    SpentAssertion.objects.update(until=timezone.now() - timedelta(seconds=1))
    forget_spent_assertions()
    assert not SpentAssertion.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_first() -> None:
    found: list[bool] = []
    barrier = threading.Barrier(8)

    def spend() -> None:
        barrier.wait(10)
        until = timezone.now() + timedelta(minutes=5)
        found.append(spend_assertion("https://idp.example.com/", "_one", until=until))
        connection.close()

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [False] * 7 + [True]


# -- In the browser that asked --------------------------------------------------------------------


def test_another_browser_s_answer_signs_nobody_in(
    engineer: User, lead: User, provider: ProviderProcess, browser: Browser
) -> None:
    """An attacker has their own answer brought by somebody else's browser."""
    attacker = Browser(provider)
    xml = attacker.begin().answer(name_id=lead.email)
    browser.begin()
    refused(browser, xml, "request")


def test_a_browser_without_a_session_is_told_to_begin_anew(
    engineer: User, browser: Browser
) -> None:
    xml = browser.begin().answer()
    del browser.client.cookies["sessionid"]
    refused(browser, xml, "request")


def test_who_is_signed_in_stays_themselves(
    engineer: User, lead: User, provider: ProviderProcess, browser: Browser
) -> None:
    browser.sign_in()
    xml = Browser(provider).begin().answer(name_id=lead.email)
    assert browser.arrive(xml).status_code == 403
    assert browser.person == engineer.email


def test_a_request_that_the_unsigned_part_names_is_none(engineer: User, browser: Browser) -> None:
    """What was signed for somebody's own request, or for none, is not turned into this one."""
    other = browser.begin().answer()
    mine = Browser(browser._provider).begin()
    forged = other.replace(
        f'InResponseTo="{browser.request}" Version', f'InResponseTo="{mine.request}" Version'
    )
    assert forged != other
    refused(mine, forged, "request")


def test_a_request_is_not_taken_off_to_make_an_answer_nobody_s(
    engineer: User, browser: Browser
) -> None:
    xml = browser.begin().answer()
    forged = xml.replace(f'InResponseTo="{browser.request}" Version', "Version")
    assert forged != xml
    refused(browser, forged, "request")


@pytest.mark.parametrize("take", [lambda c: c.get(FINISH), lambda c: c.get(FINISH + "?x=1")])
def test_nobody_arrives_without_an_answer(
    engineer: User, browser: Browser, take: Callable[[Client], object]
) -> None:
    answer = browser.client.get(FINISH)
    assert (answer.status_code, events()) == (403, [("signin.failed", "unknown", "request")])


@pytest.mark.parametrize("key", ["x" * 32, "../../etc/passwd", r'"\000"', ""])
def test_a_made_up_arrival_is_nobody_s(engineer: User, browser: Browser, key: str) -> None:
    client = Client(headers={**AGENT, "cookie": f"saml-arrival={key}"})
    assert client.get(FINISH).status_code == 403


def test_a_session_of_a_person_is_no_arrival(engineer: User, browser: Browser) -> None:
    browser.sign_in()
    client = Client(headers=AGENT)
    client.cookies["saml-arrival"] = browser.client.cookies["sessionid"].value
    assert client.get(FINISH).status_code == 403
    assert browser.client.get("/tokens/").status_code == 200, "and it goes on"


def test_an_arrival_is_taken_once(engineer: User, browser: Browser) -> None:
    browser.begin()
    browser.post(browser.answer())
    key = browser.client.cookies["saml-arrival"].value
    assert browser.client.get(FINISH).status_code == 302
    browser.client.cookies["saml-arrival"] = key
    assert browser.client.get(FINISH).status_code == 403


def test_what_the_provider_refuses_is_said(engineer: User, browser: Browser) -> None:
    edits = [
        [
            '<ns0:StatusCode Value="[^"]*"/>',
            '<ns0:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"/>',
        ]
    ]
    browser.begin()
    said = refused(browser, browser.answer(edits=edits), "refused_by_provider")
    assert "not assigned to you" in said
    bare = (
        '<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1" Version="2.0" '
        'IssueInstant="2026-01-01T00:00:00Z"><p:Status><p:StatusCode '
        'Value="urn:oasis:names:tc:SAML:2.0:status:Requester"/></p:Status></p:Response>'
    )
    refused(browser, bare, "refused_by_provider")


def test_somebody_without_a_name_is_nobody(engineer: User, browser: Browser) -> None:
    edits = [["<ns1:NameID[^>]*>[^<]*</ns1:NameID>", ""]]
    refused(browser, browser.begin().answer(edits=edits), "no_name_id")
    browser.begin()
    refused(browser, browser.answer(edits=[["engineer@example.com", " "]]), "no_name_id")


@pytest.mark.parametrize("name_id_format", ["emailAddress", "transient", "unspecified"])
@pytest.mark.parametrize("is_bound", [False, True])
def test_an_address_that_the_provider_has_not_verified_is_nobody_s(
    engineer: User, browser: Browser, name_id_format: str, is_bound: bool
) -> None:
    address = {"email": [engineer.email]}
    if is_bound:
        browser.sign_in(format=name_id_format, attributes=address)
        browser.client.post("/accounts/logout/")
    said = address | {"http://schemas.auth0.com/email_verified": ["false"]}
    answer = browser.sign_in(format=name_id_format, attributes=said)
    assert (answer.status_code, browser.person) == (403, "")
    assert events()[-1] == ("signin.failed", "unknown", "email_unverified")


def test_an_address_that_is_not_verified_binds_nobody(engineer: User, browser: Browser) -> None:
    said = {"email": [engineer.email], "http://schemas.auth0.com/email_verified": ["false"]}
    answer = browser.sign_in(format="persistent", name_id="17", attributes=said)
    assert (answer.status_code, browser.person) == (403, "")
    assert events() == [("signin.failed", engineer.email, "email_unverified")]


def test_a_closed_account_stays_closed(engineer: User, browser: Browser) -> None:
    User.objects.filter(pk=engineer.pk).update(is_active=False)
    answer = browser.sign_in()
    assert (answer.status_code, browser.person) == (403, "")
    assert events() == [("signin.failed", engineer.email, "closed")]
