"""What needs a fresh proof that it is still the person, for both kinds of people."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from allauth.account.internal.flows.login import (
    _AUTHENTICATION_METHODS_USER_SESSION_KEY,
    AUTHENTICATION_METHODS_SESSION_KEY,
)
from django.test import Client
from pytest_django import Settings

from portal.models import AuditEvent, State, Token, User
from tests.conftest import Catalog
from tests.identity_provider import ErringProvider
from tests.person import KeyPair
from tests.sign_in.conftest import Browser, events
from tests.views.conftest import Post, post

pytestmark = pytest.mark.django_db
__all__ = ["post"]

CONFIRM = "/accounts/reauthenticate/"
PASSWORD = "a password of the person's own"


def grow_old(client: Client) -> None:
    """As if the sign-in had been an hour ago."""
    session = client.session
    for record in session.get(AUTHENTICATION_METHODS_SESSION_KEY, []):
        record["at"] -= 3600
    session[AUTHENTICATION_METHODS_SESSION_KEY] = session.get(
        AUTHENTICATION_METHODS_SESSION_KEY, []
    )
    session.save()


@pytest.fixture
def old_session(sign_in: Callable[[User], Client]) -> Callable[[User], Client]:
    def old_session(user: User) -> Client:
        user.set_password(PASSWORD)
        user.save()
        client = sign_in(user)
        grow_old(client)
        return client

    return old_session


def assert_sent_to_confirm(answer: Any, way: str) -> None:
    assert answer.status_code == 302, answer.content.decode()[:2000]
    url = urlsplit(answer.headers["Location"])
    assert url.path == CONFIRM
    assert dict(parse_qsl(url.query)) == {"next": way}


def request_for(catalog: Catalog, account: str, keys: KeyPair) -> dict[str, str]:
    return {
        "workspace": catalog.workspace.aws_id,
        "service_account": account,
        "name": "ci",
        "seconds_to_live": "3600",
        "reason": "",
        "public_key": keys.public,
    }


# -- Where it is asked -----------------------------------------------------------------------------


def test_requesting_for_an_admin_account_asks_and_nothing_happens(
    old_session: Callable[[User], Client],
    engineer: User,
    catalog: Catalog,
    keys: KeyPair,
    post: Post,
) -> None:
    client = old_session(engineer)
    answer = post(client, "/tokens/new/", **request_for(catalog, "3", keys))
    assert_sent_to_confirm(answer, "/tokens/new/")
    assert not Token.objects.exists()
    assert not AuditEvent.objects.exists()


def test_requesting_for_another_account_does_not_ask(
    old_session: Callable[[User], Client],
    engineer: User,
    catalog: Catalog,
    keys: KeyPair,
    post: Post,
) -> None:
    answer = post(old_session(engineer), "/tokens/new/", **request_for(catalog, "2", keys))
    assert answer.headers["Location"] == f"/tokens/{Token.objects.get().pk}/"


def test_a_fresh_sign_in_is_enough(
    sign_in: Callable[[User], Client], engineer: User, catalog: Catalog, keys: KeyPair, post: Post
) -> None:
    answer = post(sign_in(engineer), "/tokens/new/", **request_for(catalog, "3", keys))
    assert answer.headers["Location"] == f"/tokens/{Token.objects.get().pk}/"


@pytest.mark.parametrize(("role", "asks"), [("ADMIN", True), ("EDITOR", False)])
def test_collecting_and_reissuing_ask_for_an_admin_account(
    old_session: Callable[[User], Client],
    engineer: User,
    make_token: Callable[..., Token],
    catalog: Catalog,
    keys: KeyPair,
    post: Post,
    role: str,
    asks: bool,
) -> None:
    account = catalog.admin_account if role == "ADMIN" else catalog.deployer
    client = old_session(engineer)
    waiting = make_token(engineer, state=State.AWAITING_RECIPIENT, service_account=account)
    live = make_token(engineer, state=State.ACTIVE, service_account=account, aws_token_id="1")
    answers = {
        f"/tokens/{waiting.pk}/": post(
            client, f"/tokens/{waiting.pk}/collect/", public_key=keys.public
        ),
        f"/tokens/{live.pk}/reissue/": post(
            client,
            f"/tokens/{live.pk}/reissue/",
            mode="replace",
            recipient="me",
            seconds_to_live="60",
            public_key=KeyPair().public,
        ),
    }
    for way, answer in answers.items():
        if asks:
            assert_sent_to_confirm(answer, way)
        else:
            assert not answer.headers["Location"].startswith(CONFIRM)
    waiting.refresh_from_db()
    live.refresh_from_db()
    states = (waiting.state, live.state)
    assert (states == (State.AWAITING_RECIPIENT, State.ACTIVE)) is asks


def test_approving_asks_and_denying_does_not(
    old_session: Callable[[User], Client],
    engineer: User,
    lead: User,
    make_token: Callable[..., Token],
    post: Post,
) -> None:
    client = old_session(lead)
    token = make_token(engineer, state=State.AWAITING_APPROVAL)
    assert_sent_to_confirm(post(client, f"/tokens/{token.pk}/approve/"), f"/tokens/{token.pk}/")
    token.refresh_from_db()
    assert token.state == State.AWAITING_APPROVAL
    post(client, f"/tokens/{token.pk}/deny/", reason="no")
    token.refresh_from_db()
    assert token.state == State.DENIED


def test_who_may_not_is_told_so_before_anybody_is_asked(
    old_session: Callable[[User], Client],
    engineer: User,
    teammate: User,
    outsider: User,
    make_token: Callable[..., Token],
    post: Post,
) -> None:
    token = make_token(engineer, state=State.AWAITING_APPROVAL)
    url = f"/tokens/{token.pk}/approve/"
    assert post(old_session(teammate), url).status_code == 403
    assert post(old_session(outsider), url).status_code == 404


def test_ending_more_than_one_asks_and_ending_one_does_not(
    old_session: Callable[[User], Client],
    engineer: User,
    lead: User,
    make_token: Callable[..., Token],
    post: Post,
) -> None:
    client = old_session(lead)
    live = [
        make_token(engineer, state=State.ACTIVE, aws_token_id=str(number)) for number in range(3)
    ]
    url, both = "/team/platform/revoke/", [str(token.pk) for token in live[:2]]
    assert post(client, url, token=both, reason="leak", preview="1").status_code == 200
    assert_sent_to_confirm(post(client, url, token=both, reason="leak"), "/team/platform/")
    everything = post(client, url, person=engineer.email, reason="leak")
    assert_sent_to_confirm(everything, "/team/platform/")
    assert not Token.objects.exclude(state=State.ACTIVE).exists()
    assert "ended" in post(client, url, token=both[:1], reason="leak").headers["Location"]
    alone = post(client, f"/tokens/{live[1].pk}/revoke/", reason="leak")
    assert alone.headers["Location"] == f"/tokens/{live[1].pk}/"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_exporting_asks_and_reading_does_not(
    old_session: Callable[[User], Client], auditor: User, engineer: User, kind: str
) -> None:
    client = old_session(auditor)
    url = f"/audit/export.{kind}?team=platform&q=a%20b"
    assert_sent_to_confirm(client.get(url), url)
    for path in ("/audit/", "/inventory/"):
        assert client.get(path).status_code == 200
    assert old_session(engineer).get(url).status_code == 403


@pytest.mark.parametrize("path", ["/admin/", "/admin/portal/user/", "/admin/portal/team/add/"])
def test_django_s_admin_asks(
    old_session: Callable[[User], Client], admin: User, lead: User, path: str
) -> None:
    assert_sent_to_confirm(old_session(admin).get(path), path)
    refused = old_session(lead).get(path)
    assert not refused.headers.get("Location", "").startswith(CONFIRM)


def test_a_program_is_told_with_401(
    old_session: Callable[[User], Client], engineer: User, catalog: Catalog, keys: KeyPair
) -> None:
    answer = old_session(engineer).post(
        "/tokens/new/", request_for(catalog, "3", keys), headers={"accept": "application/json"}
    )
    assert answer.status_code == 401
    assert answer.json()["reauthenticate"] == f"{CONFIRM}?next=%2Ftokens%2Fnew%2F"


# -- By password -----------------------------------------------------------------------------------


def test_a_password_proves_it(
    old_session: Callable[[User], Client], auditor: User, settings: Settings
) -> None:
    client = old_session(auditor)
    page = client.get(f"{CONFIRM}?next=/audit/export.csv")
    assert "Is it still you?" in page.content.decode()
    wrong = client.post(CONFIRM, {"password": "wrong", "next": "/audit/export.csv"})
    assert wrong.status_code == 200
    assert client.get("/audit/export.csv").status_code == 302
    right = client.post(CONFIRM, {"password": PASSWORD, "next": "/audit/export.csv"})
    assert (right.status_code, right.headers["Location"]) == (302, "/audit/export.csv")
    assert client.get("/audit/export.csv").status_code == 200


def test_the_proof_is_over_when_its_time_is(
    sign_in: Callable[[User], Client], auditor: User, settings: Settings
) -> None:
    settings.STEP_UP_SECONDS = 1
    client = sign_in(auditor)
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY][-1]["at"] = time.time() - 2
    session.save()
    assert client.get("/audit/export.csv").status_code == 302


def test_another_person_s_proof_counts_for_nothing(
    sign_in: Callable[[User], Client], auditor: User, admin: User
) -> None:
    client = sign_in(auditor)
    session = client.session
    session[_AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(admin.pk)
    session.save()
    assert client.get("/audit/export.csv").status_code == 302


# -- By single sign-on -----------------------------------------------------------------------------


@pytest.fixture
def auditor_by_sso(browser: Browser, provider: ErringProvider, auditor: User) -> Browser:
    provider.person(auditor.email)
    assert browser.sign_in(auditor.email).status_code == 302
    return browser


def to_the_provider(browser: Browser) -> str:
    answer = browser.get("/audit/export.csv?team=platform")
    assert_sent_to_confirm(answer, "/audit/export.csv?team=platform")
    sent = browser.get(answer.headers["Location"])
    assert sent.status_code == 302
    return str(sent.headers["Location"])


def test_single_sign_on_is_asked_for_a_fresh_one(
    auditor_by_sso: Browser, provider: ErringProvider, auditor: User
) -> None:
    address = to_the_provider(auditor_by_sso)
    asked = dict(parse_qsl(urlsplit(address).query))
    assert (asked["prompt"], asked["max_age"]) == ("login", "300")
    answer = auditor_by_sso.come_back(address, auditor.email)
    assert answer.headers["Location"] == "/audit/export.csv?team=platform"
    assert auditor_by_sso.get(answer.headers["Location"]).status_code == 200
    assert len(events("signin.succeeded")) == 1


def test_a_browser_is_sent_on_by_a_page(auditor_by_sso: Browser) -> None:
    """What leads on from a form is held to the form's page's Content-Security-Policy."""
    page = auditor_by_sso.get(f"{CONFIRM}?next=/audit/", headers={"sec-fetch-dest": "document"})
    assert page.status_code == 200
    assert page.headers["Refresh"].startswith("0; url=http://127.0.0.1:")


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"auth_time": None}, "auth_time_missing"),
        ({"auth_time": "now"}, "auth_time_missing"),
        ({"auth_time": True}, "auth_time_missing"),
        ({"auth_time": int(time.time()) + 90_000}, "auth_time_missing"),
        ({"auth_time": int(time.time()) - 400}, "auth_time_old"),
        ({"auth_time": 0}, "auth_time_old"),
        ({"nonce": "forged"}, "nonce"),
        ({"sub": "another"}, "another_person"),
    ],
)
def test_nothing_but_auth_time_of_the_same_person_proves_it(
    auditor_by_sso: Browser,
    provider: ErringProvider,
    auditor: User,
    claims: dict[str, Any],
    code: str,
) -> None:
    address = to_the_provider(auditor_by_sso)
    provider.token_claims = claims
    answer = auditor_by_sso.come_back(address, auditor.email)
    assert (answer.status_code, f"<code>{code}</code>" in answer.content.decode()) == (403, True)
    assert auditor_by_sso.get("/audit/export.csv").status_code == 302
    assert auditor_by_sso.get("/audit/").status_code == 200, "the session stays"
    assert [failed[1] for failed in events("signin.failed")] == [code]


def test_a_proof_counts_from_when_it_was_given(
    auditor_by_sso: Browser, provider: ErringProvider, auditor: User, settings: Settings
) -> None:
    address = to_the_provider(auditor_by_sso)
    provider.token_claims = {"auth_time": int(time.time()) - 200}
    assert auditor_by_sso.come_back(address, auditor.email).status_code == 302
    assert auditor_by_sso.get("/audit/export.csv").status_code == 200
    settings.STEP_UP_SECONDS = 150
    assert auditor_by_sso.get("/audit/export.csv").status_code == 302


def test_a_provider_that_is_away_says_so_and_the_session_stays(
    auditor_by_sso: Browser, provider: ErringProvider
) -> None:
    provider.configured = {"issuer": None}
    answer = auditor_by_sso.get(f"{CONFIRM}?next=/audit/")
    assert answer.status_code == 502
    assert auditor_by_sso.is_signed_in


def test_who_has_neither_is_told(
    sign_in: Callable[[User], Client], auditor: User, settings: Settings
) -> None:
    settings.OPENID = None
    client = sign_in(auditor)
    assert client.get(CONFIRM).status_code == 403
