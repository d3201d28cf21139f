"""Answers of SAML that nobody's provider has given: each ends on a page, and signs nobody in."""

import base64
import re
import time
from collections.abc import Callable

import pytest
from django.test import Client
from lxml import etree

from portal.models import User
from tests.saml import wrapping
from tests.views.saml.conftest import ACS, AGENT, Browser, events

pytestmark = pytest.mark.django_db

DECLARED = '<?xml version="1.0"?>'


@pytest.fixture(autouse=True)
def people(engineer: User, admin: User) -> None:
    """Whom an attacker is, and whom they would like to be."""


def refused(browser: Browser, xml: str, code: str, *statuses: int) -> str:
    """The page that the answer ends on."""
    answer = browser.arrive(xml)
    assert answer.status_code in (statuses or (403,)), answer.text
    assert events() == [("signin.failed", "unknown", code)]
    assert browser.person == ""
    assert code in answer.text
    assert "Back to the sign-in" in answer.text
    return str(answer.text)


@pytest.mark.parametrize("form", wrapping.FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("sign_response", [False, True])
def test_a_signature_speaks_for_nothing_but_its_own_assertion(
    browser: Browser, form: Callable[[str], str], sign_response: bool
) -> None:
    xml = browser.begin().answer(sign_response=sign_response)
    forged = form(xml)
    assert forged != xml
    answer = browser.arrive(forged)
    assert answer.status_code in (400, 403)
    assert browser.person == ""
    ((action, _, code),) = events()
    assert (action, code in ("wrapped", "signature", "invalid", "unsigned")) == (
        "signin.failed",
        True,
    ), code


def test_an_assertion_without_a_signature_is_anybody_s(browser: Browser) -> None:
    refused(browser, browser.begin().answer(sign_assertion=False), "unsigned")


def test_a_signed_response_does_not_make_up_for_it(browser: Browser) -> None:
    xml = browser.begin().answer(sign_assertion=False, sign_response=True)
    refused(browser, xml, "unsigned")


def test_a_signature_that_was_taken_out_is_missed(browser: Browser) -> None:
    xml = browser.begin().answer()
    stripped = re.sub(r"<(\w+):Signature .*?</\1:Signature>", "", xml, flags=re.DOTALL)
    assert stripped != xml
    refused(browser, stripped, "unsigned")


def test_another_key_is_not_the_provider_s(browser: Browser) -> None:
    refused(browser, browser.begin().answer(stranger=True), "signature")


def test_another_provider_is_not_this_one(browser: Browser) -> None:
    edits = [[r"(<ns1:Issuer[^>]*>)[^<]*", r"\g<1>https://evil.example.com/"]]
    refused(browser, browser.begin().answer(edits=edits), "issuer")


def test_sha_1_is_not_taken(browser: Browser) -> None:
    said = refused(browser, browser.begin().answer(sha1=True), "weak_signature")
    assert "SHA-256" in said


@pytest.mark.parametrize(
    "algorithm",
    [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/2000/09/xmldsig#base64",
    ],
)
def test_no_program_runs_before_the_signature_is_known(browser: Browser, algorithm: str) -> None:
    xml = browser.begin().answer()
    forged = xml.replace("http://www.w3.org/2000/09/xmldsig#enveloped-signature", algorithm)
    refused(browser, forged, "wrapped")


@pytest.mark.parametrize(
    "algorithm",
    [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "none",
    ],
)
def test_the_public_key_is_no_secret_to_sign_with(browser: Browser, algorithm: str) -> None:
    xml = browser.begin().answer()
    forged = xml.replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", algorithm)
    assert forged != xml
    refused(browser, forged, "weak_signature")


@pytest.mark.parametrize("reference", ["", "#other", "#xpointer(/)"])
def test_a_signature_over_something_else_is_no_signature(browser: Browser, reference: str) -> None:
    xml = browser.begin().answer()
    forged = re.sub(r'URI="#[^"]*"', f'URI="{reference}"', xml)
    assert forged != xml
    refused(browser, forged, "wrapped")


def test_an_encrypted_assertion_is_explained(browser: Browser) -> None:
    said = refused(browser, browser.begin().answer(encrypt=True), "encrypted")
    assert "switch encryption of assertions off" in said


@pytest.mark.parametrize("name_id", ["admin@example.com<!---->.evil.example.com", "x<?a b?>y"])
def test_nothing_is_cut_out_of_a_name_by_a_comment(browser: Browser, name_id: str) -> None:
    """The signature of "admin@example.com.evil.example.com" would still be right."""
    plain = re.sub(r"<[^>]*>", "", name_id)
    xml = browser.begin().answer(name_id=plain)
    refused(browser, xml.replace(plain, name_id), "unreadable", 400)


ENTITY = '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
REMOTE = '<!DOCTYPE r [<!ENTITY e SYSTEM "http://127.0.0.1:9/">]>'


def ten_of(entity: str) -> str:
    return f"&{entity};" * 10


LAUGHS = (
    '<!DOCTYPE r [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{ten_of(chr(97 + n))}">' for n in range(12))
    + "]>"
)


@pytest.mark.parametrize("doctype", [ENTITY, REMOTE, LAUGHS, "<!DOCTYPE r>"])
def test_a_document_type_is_never_read(browser: Browser, doctype: str) -> None:
    xml = browser.begin().answer().replace(DECLARED, DECLARED + doctype)
    xml = xml.replace("engineer@example.com", "&e;")
    began = time.monotonic()
    said = refused(browser, xml, "unreadable", 400)
    assert time.monotonic() - began < 5
    assert "root:" not in said


@pytest.mark.parametrize("encoding", ["utf-16", "utf-7", "iso-8859-1"])
def test_no_encoding_hides_what_is_there(browser: Browser, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{ENTITY}<r>&e;</r>'
    encoded = base64.b64encode(text.encode(encoding)).decode()
    answer = Client(headers=AGENT).post(ACS, {"SAMLResponse": encoded})
    assert (answer.status_code, events()) == (400, [("signin.failed", "unknown", "unreadable")])


# -- What is no answer at all ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "posted",
    ["", "%", "not base64", "AAAA", base64.b64encode(b"\xff\xfe").decode()]
    + [
        base64.b64encode(text.encode()).decode()
        for text in (
            "<",
            "<a/>",
            "plain",
            "<Response/>",
            '<Response xmlns="urn:oasis:names:tc:SAML:2.0:protocol"/>',
            '<Response xmlns="urn:oasis:names:tc:SAML:2.0:protocol" Version="2.0" ID="a"/>',
            '<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion"/>',
            "<a" * 100 + ">",
            "<a>" * 300 + "</a>" * 300,
            "\0",
        )
    ],
)
def test_anything_else_ends_on_a_page(browser: Browser, posted: str) -> None:
    answer = Client(headers=AGENT).post(ACS, {"SAMLResponse": posted})
    assert answer.status_code in (400, 403)
    assert "Back to the sign-in" in answer.text
    ((action, who, code),) = events()
    assert (action, who, bool(code)) == ("signin.failed", "unknown", True)


def _response(inside: str) -> str:
    return (
        f'<p:Response xmlns:p="{wrapping.SAMLP[1:-1]}" ID="a" Version="2.0">{inside}</p:Response>'
    )


MANY = range(100_000)
HUGE = {
    "text": "x" * 1_600_000,
    "more than a form takes": "x" * 3_000_000,
    "elements": "<a/>" * 200_000,
    "depth": "<a>" * 5000 + "</a>" * 5000,
    "attributes": "<a " + " ".join(f"b{n}=''" for n in MANY) + "/>",
    "prefixes": "<a " + " ".join(f"xmlns:b{n}='u{n}'" for n in MANY[:50_000]) + "/>",
    "nested prefixes": "".join(f"<a xmlns:b{n}='u{n}'>" for n in MANY[:200]) + "</a>" * 200,
    "as much of each as there may be": "".join(
        "<a " + " ".join(f"xmlns:b{n}x{level}='u'" for n in MANY[:190]) + ">" for level in range(27)
    )
    + "<b0x0:c/>" * 50_000
    + "</a>" * 27,
    "attributes in many tags": ("<a " + " ".join(f"b{n}=''" for n in MANY[:190]) + "/>") * 1000,
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_huge_document_is_turned_away_quickly(browser: Browser, kind: str) -> None:
    encoded = base64.b64encode(_response(HUGE[kind]).encode()).decode()
    began = time.process_time()
    answer = Client(headers=AGENT).post(ACS, {"SAMLResponse": encoded})
    assert time.process_time() - began < 3
    assert answer.status_code in (400, 403)
    assert [event[0] for event in events()] == ["signin.failed"]


@pytest.mark.parametrize("kind", ["elements in scope of many prefixes", "many values"])
def test_a_huge_assertion_with_a_wrong_signature_is_turned_away_quickly(
    browser: Browser, kind: str
) -> None:
    """It is digested before it is known whose it is."""
    value, end = "<ns1:AttributeValue>", "</ns1:AttributeValue>"
    prefixes = "".join(
        "<a " + " ".join(f"xmlns:b{n}x{level}='u{n}'" for n in MANY[:190]) + ">"
        for level in range(20)
    )
    inside = {
        "elements in scope of many prefixes": prefixes + "<b0x0:c/>" * 50_000 + "</a>" * 20,
        "many values": f"{end}{value}".join(f"group-{n}" for n in MANY[:25_000]),
    }[kind]
    xml = browser.begin().answer(attributes={"groups": ["PLACE"]})
    forged = re.sub(f"<ns1:AttributeValue[^>]*>PLACE{end}", f"{value}{inside}{end}", xml)
    assert len(forged) > 400_000
    began = time.process_time()
    refused(browser, forged, "signature")
    assert time.process_time() - began < 4


def test_what_is_signed_is_read_as_it_was_signed(browser: Browser) -> None:
    """The control of the tests above: the same document, parsed and written again, is good."""
    xml = browser.begin().answer()
    again = etree.tostring(etree.fromstring(xml.encode())).decode()
    assert browser.arrive(again).status_code == 302
    assert browser.person == "engineer@example.com"
