"""Whatever is wrong with a provider's answer: a page, an event with a code, and no session."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal.embedded.sign_in.server import Handler
from portal.flows.sign_in import COUNTED_FOR, TOLD_ONE_BY_ONE, record_counted_failures
from portal.identity import wire
from portal.models import AuditEvent, FailedSignIns, User
from tests.identity_provider import ErringProvider, broken, choose, html, nothing
from tests.sign_in.conftest import CALLBACK, START, Browser, events

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _somebody(provider: ErringProvider, engineer: User) -> None:
    provider.person(engineer.email, "everyone")


EMAIL = "engineer@example.com"


def assert_refused(browser: Browser, answer: Any, code: str, *statuses: int) -> None:
    page = answer.content.decode()
    assert answer.status_code in statuses, page
    assert f"<code>{code}</code>" in page
    assert "<h1>" in page
    assert not browser.is_signed_in
    assert events("signin.failed")[-1][1] == code
    assert events("signin.succeeded") == []


FORGED = (400, 401, 403)


@pytest.mark.parametrize("state", ["forged", "", None, "x" * 5000, "\0"])
def test_a_state_that_this_browser_has_not_begun(browser: Browser, state: str | None) -> None:
    answer = browser.come_back(browser.begin(), EMAIL, state=state)
    assert_refused(browser, answer, "state", *FORGED)


def test_an_answer_for_another_browser(browser: Browser) -> None:
    answer = Browser().come_back(browser.begin(), EMAIL)
    assert answer.status_code in FORGED
    other = Browser()
    other.begin()
    assert_refused(other, other.come_back(browser.begin(), EMAIL), "state", *FORGED)


def test_an_answer_that_was_used_already(browser: Browser) -> None:
    way = choose(browser.begin(), EMAIL).removeprefix("http://127.0.0.1:8000")
    assert browser.get(way).status_code == 302
    browser.logout()
    answer = browser.get(way)
    assert (answer.status_code, "<code>state</code>" in answer.content.decode()) == (403, True)
    assert not browser.is_signed_in


def test_a_code_that_was_used_already(browser: Browser, provider: ErringProvider) -> None:
    first, second = Browser(), browser
    way = choose(first.begin(), EMAIL)
    assert first.get(way.removeprefix("http://127.0.0.1:8000")).status_code == 302
    code = way.partition("code=")[2].partition("&")[0]
    answer = second.come_back(second.begin(), EMAIL, code=code)
    assert (answer.status_code, "<code>code</code>" in answer.content.decode()) == (403, True)
    assert not second.is_signed_in


def test_a_code_for_another_code_verifier(browser: Browser, provider: ErringProvider) -> None:
    address = browser.begin()
    elsewhere = browser.begin()
    way = choose(elsewhere, EMAIL)
    code = way.partition("code=")[2].partition("&")[0]
    assert_refused(browser, browser.come_back(address, EMAIL, code=code), "code", *FORGED)


def test_an_answer_of_another_provider(browser: Browser) -> None:
    answer = browser.come_back(browser.begin(), EMAIL, iss="https://another.example")
    assert_refused(browser, answer, "issuer", *FORGED)
    assert browser.come_back(browser.begin(), EMAIL, iss=None).status_code in FORGED


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"error": "access_denied", "error_description": "<b>AADSTS50105</b>"}, "access_denied"),
        ({"error": "invalid_scope"}, "provider:invalid_scope"),
        ({}, "code_missing"),
        ({"error": "x" * 3000}, f"provider:{'x' * 60}"),
        ({"error": "\0<b>"}, "provider:other"),
    ],
)
def test_an_answer_that_tells_of_an_error(
    browser: Browser, said: dict[str, str], code: str
) -> None:
    answer = browser.come_back(browser.begin(), EMAIL, code=None, **said)
    assert "<b>" not in answer.content.decode()
    assert_refused(browser, answer, code, *FORGED)


NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "https://another.example"}, "issuer"),
        ({"iss": None}, "claim_missing"),
        ({"aud": "another-client"}, "audience"),
        ({"aud": ["another-client"]}, "audience"),
        ({"aud": ["token-portal", "another"]}, "audience"),
        ({"azp": "another"}, "audience"),
        ({"aud": None}, "claim_missing"),
        ({"nonce": "forged"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": 5}, "nonce"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": None}, "claim_missing"),
        ({"exp": "soon"}, "token_malformed"),
        ({"iat": NOW + 4000, "exp": NOW + 8000}, "not_yet_valid"),
        ({"nbf": NOW + 4000}, "not_yet_valid"),
        ({"sub": ""}, "subject"),
        ({"sub": None}, "claim_missing"),
        ({"sub": 7}, "token_malformed"),
        ({"sub": "\ud800"}, "subject"),
        ({"sub": "a\0b"}, "subject"),
        ({"email": "\ud800@example.com"}, "email_malformed"),
        ({"email": ["a@example.com"]}, "email_malformed"),
        ({"groups": 7}, "groups_malformed"),
        ({"groups": {"a": 1}}, "groups_malformed"),
        ({"groups": ["a", 7]}, "groups_malformed"),
    ],
)
def test_a_claim_that_is_wrong(
    browser: Browser, provider: ErringProvider, claims: dict[str, Any], code: str
) -> None:
    provider.token_claims = claims
    assert_refused(browser, browser.sign_in(EMAIL), code, *FORGED)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"email": None}, "email_missing"),
        ({"email": "no address"}, "email_malformed"),
        ({"email": "ena@exa\u200bmple.com"}, "email_malformed"),
        ({"email_verified": False}, "email_unverified"),
        ({"email_verified": None}, "email_unverified"),
    ],
)
def test_an_address_that_binds_nobody(
    browser: Browser, provider: ErringProvider, claims: dict[str, Any], code: str
) -> None:
    provider.token_claims = provider.userinfo_claims = claims
    assert_refused(browser, browser.sign_in(EMAIL), code, *FORGED)


def test_groups_and_names_that_no_page_can_show(
    browser: Browser, provider: ErringProvider, engineer: User
) -> None:
    strange = ["\ud800", "a\0b", "", "\u202eevil", "x" * 10_000]
    provider.token_claims = {"groups": strange, "name": "\ud800\0Eve\n", "sid": "\ud800"}
    assert browser.sign_in(EMAIL).status_code == 302
    engineer.refresh_from_db()
    assert engineer.name == "Eve"
    provider.person("stranger@example.com")
    provider.token_claims |= {"email": "stranger@example.com", "sub": "s"}
    assert Browser().sign_in("stranger@example.com").status_code == 403


def test_a_token_without_a_signature(browser: Browser, provider: ErringProvider) -> None:
    provider.signs = provider.unsigned
    assert_refused(browser, browser.sign_in(EMAIL), "algorithm", *FORGED)


def test_a_token_signed_with_the_public_key_as_a_secret(
    browser: Browser, provider: ErringProvider
) -> None:
    provider.signs = provider.signed_with_the_public_key
    assert_refused(browser, browser.sign_in(EMAIL), "algorithm", *FORGED)


def test_a_token_signed_by_somebody_else(browser: Browser, provider: ErringProvider) -> None:
    other = ErringProvider(1, "http://127.0.0.1:8000")
    other.kid = provider.kid
    provider.signs = lambda claims: super(ErringProvider, other).sign(claims)
    assert_refused(browser, browser.sign_in(EMAIL), "signature", *FORGED)
    other.kid = "unknown"
    assert browser.sign_in(EMAIL).status_code in FORGED


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 300_000, 5, None, ["a"]])
def test_a_token_that_is_none(browser: Browser, provider: ErringProvider, token: Any) -> None:
    provider.signs = lambda _: token
    assert_refused(browser, browser.sign_in(EMAIL), "token_malformed", *FORGED)


def test_userinfo_of_somebody_else(browser: Browser, provider: ErringProvider) -> None:
    provider.token_claims = {"groups": None}
    provider.userinfo_claims = {"sub": "another"}
    assert_refused(browser, browser.sign_in(EMAIL), "userinfo_subject", *FORGED)


# -- A provider that is away or answers nonsense ---------------------------------------------------

AWAY = (502, 503)
CONFIGURATION = "/.well-known/openid-configuration"


def listed(handler: Handler) -> None:
    handler.send_json([1, 2])  # type: ignore[arg-type]


def deep(handler: Handler) -> None:
    body = b"[" * 100_000
    handler._send(200, body, {"Content-Type": "application/json"})


def large(handler: Handler) -> None:
    handler.send_json({"padding": "x" * 2_000_000})


def elsewhere(handler: Handler) -> None:
    handler.send_on("http://127.0.0.1:9/", "")


def too_busy(handler: Handler) -> None:
    handler.send_json({"error": "slow down"}, 429)


def slow(handler: Handler) -> None:
    """Sends a little now and then, so that no pause is a timeout."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b" " * 9000)
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass
    handler.close_connection = True


ANSWERS = (html, broken, nothing, listed, deep, large, elsewhere, too_busy, slow)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "WHOLE", 0.5)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda one: one.__name__)
def test_a_provider_that_errs_before_anybody_is_sent_there(
    browser: Browser, provider: ErringProvider, answer: Callable[[Handler], None], impatient: None
) -> None:
    provider.answers = {CONFIGURATION: answer}
    sent = browser.post(START)
    code = "provider_away" if sent.status_code == 503 else "provider_answer"
    assert_refused(browser, sent, code, *AWAY)


@pytest.mark.parametrize("path", ["/token", "/keys", "/userinfo"])
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda one: one.__name__)
def test_a_provider_that_errs_when_somebody_comes_back(
    browser: Browser,
    provider: ErringProvider,
    path: str,
    answer: Callable[[Handler], None],
    impatient: None,
) -> None:
    provider.token_claims = {"groups": None}
    address = browser.begin()
    provider.answers = {path: answer}
    came = browser.come_back(address, EMAIL)
    code = "provider_away" if came.status_code == 503 else "provider_answer"
    assert_refused(browser, came, code, *AWAY)


def test_a_provider_that_nobody_can_reach(browser: Browser, provider: ErringProvider) -> None:
    provider.answers = {CONFIGURATION: nothing}
    answer = browser.post(START)
    assert_refused(browser, answer, "provider_away", 503)
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://another.example"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"authorization_endpoint": 5},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://login.example.com/authorize"},
        {"authorization_endpoint": "https://[::1"},
    ],
)
def test_a_configuration_that_makes_no_sense(
    browser: Browser, provider: ErringProvider, said: dict[str, Any]
) -> None:
    provider.configured = said
    assert_refused(browser, browser.post(START), "provider_answer", *AWAY)


@pytest.mark.parametrize(
    "said", [{"token_endpoint": None}, {"jwks_uri": "http://a.example/"}, {"userinfo_endpoint": 5}]
)
def test_a_configuration_with_an_address_that_is_none(
    browser: Browser, provider: ErringProvider, said: dict[str, Any]
) -> None:
    provider.token_claims = {"groups": None}
    provider.configured = said
    assert_refused(browser, browser.sign_in(EMAIL), "provider_answer", *AWAY)


def test_a_client_that_the_provider_does_not_know(
    browser: Browser, provider: ErringProvider
) -> None:
    provider.client_secret = "another"
    try:
        assert_refused(browser, browser.sign_in(EMAIL), "provider_answer", *AWAY)
    finally:
        provider.client_secret = "a client's secret"


def test_the_callback_takes_get_alone(browser: Browser) -> None:
    assert browser.post(CALLBACK).status_code == 405
    assert browser.get(START).headers["Location"] == "/accounts/login/"


def test_each_failure_is_an_event_until_there_are_many_which_are_counted(
    browser: Browser, provider: ErringProvider
) -> None:
    for number in range(TOLD_ONE_BY_ONE + 3):
        browser.get(CALLBACK, {"state": str(number)})
    provider.token_claims = {"nonce": "forged"}
    browser.sign_in(EMAIL)
    codes = [code for _, code, _ in events("signin.failed")]
    assert codes == ["state"] * TOLD_ONE_BY_ONE + ["nonce"]
    FailedSignIns.objects.update(since=timezone.now() - COUNTED_FOR - timedelta(seconds=1))
    record_counted_failures()
    rows = AuditEvent.objects.filter(action="signin.failed").order_by("seq")
    told = list(rows.values_list("error_code", "count"))[TOLD_ONE_BY_ONE + 1 :]
    assert told == [("state", 3)]
