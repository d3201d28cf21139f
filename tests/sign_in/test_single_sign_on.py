"""Who comes in by single sign-on, as whom, and with what rights."""

import logging
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from pytest_django import Settings

from portal.limits.table import SINGLE_SIGN_ONS_FROM
from portal.logs import formatter
from portal.models import AccountMail, AuditEvent, Membership, Team, User
from tests.identity_provider import ErringProvider
from tests.sign_in.conftest import START, Browser, events
from tests.totp import code_of
from tests.views import factors

pytestmark = pytest.mark.django_db


def teams(email: str) -> dict[str, str]:
    rows = Membership.objects.filter(user__email=email)
    return dict(rows.values_list("team__slug", "role"))


def test_the_button_leads_to_the_provider_with_state_nonce_and_pkce(
    browser: Browser, provider: ErringProvider
) -> None:
    page = browser.get("/accounts/login/?next=/team/").content.decode()
    assert 'data-testid="sso-button"' in page
    assert "Continue with Example ID" in page
    first, second = (dict(parse_qsl(urlsplit(browser.begin()).query)) for _ in range(2))
    assert first["response_type"] == "code"
    assert first["redirect_uri"] == "http://127.0.0.1:8000/accounts/oidc/sso/login/callback/"
    assert first["code_challenge_method"] == "S256"
    assert set(first["scope"].split()) == {"openid", "profile", "email"}
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 16
        assert first[name] != second[name]
    assert "prompt" not in first


def test_without_a_provider_there_is_no_button_and_no_address(
    browser: Browser, settings: Settings
) -> None:
    settings.OPENID = None
    assert "sso-button" not in browser.get("/accounts/login/").content.decode()
    assert browser.post(START).status_code == 404


def test_whom_the_file_names_comes_in_and_goes_on_where_they_wanted(
    browser: Browser, provider: ErringProvider, engineer: User
) -> None:
    provider.person(engineer.email, name="Erin Engineer")
    answer = browser.sign_in(engineer.email, "/team/?page=2")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/team/?page=2")
    assert browser.is_signed_in
    engineer.refresh_from_db()
    assert engineer.name == "Erin Engineer"
    assert teams(engineer.email) == {"platform": "member"}
    assert events("signin.succeeded") == [(engineer.email, "", "single sign-on")]


@pytest.mark.parametrize("way", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_the_way_back_stays_here(
    browser: Browser, provider: ErringProvider, engineer: User, way: str
) -> None:
    provider.person(engineer.email)
    assert browser.sign_in(engineer.email, way).headers["Location"] == "/tokens/"


def test_an_office_may_sign_in_at_nine_and_a_flood_may_not(
    browser: Browser, provider: ErringProvider, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(SINGLE_SIGN_ONS_FROM, burst=2)
    monkeypatch.setattr("portal.views.accounts.openid.SINGLE_SIGN_ONS_FROM", few)
    settings.RATE_LIMITS = True
    assert [browser.post(START).status_code for _ in range(3)] == [302, 302, 429]


def test_a_group_makes_a_person_with_its_rights(
    browser: Browser, provider: ErringProvider, mapping: None
) -> None:
    provider.person("new@example.com", "grafana-leads", "security", "everyone", name="New One")
    assert browser.sign_in("new@example.com").status_code == 302
    person = User.objects.get(email="new@example.com")
    assert (person.name, person.is_auditor, person.has_usable_password()) == (
        "New One", True, False,
    )  # fmt: skip
    assert teams(person.email) == {"platform": "lead"}
    changes = AuditEvent.objects.filter(action="access.changed").order_by("seq")
    assert list(changes.values_list("subject", flat=True)) == [
        "~ person new@example.com: now auditor",
        "+ lead new@example.com of platform",
    ]


def test_groups_that_change_change_rights_at_the_next_sign_in(
    browser: Browser, provider: ErringProvider, mapping: None
) -> None:
    somebody = provider.person("new@example.com", "portal-admins")
    browser.sign_in(somebody.email)
    assert browser.get("/audit/").status_code == 200
    somebody.groups = ["grafana-platform"]
    browser.sign_in(somebody.email)
    assert browser.get("/audit/").status_code == 403
    assert teams(somebody.email) == {"platform": "member"}


def test_who_left_every_group_is_let_in_no_more(
    browser: Browser, provider: ErringProvider, mapping: None
) -> None:
    somebody = provider.person("new@example.com", "grafana-platform")
    browser.sign_in(somebody.email)
    somebody.groups = ["everyone"]
    assert Browser().sign_in(somebody.email).status_code == 403
    assert teams(somebody.email) == {}


def test_who_is_neither_in_the_file_nor_in_a_mapped_group_gets_no_account(
    browser: Browser, provider: ErringProvider, mapping: None
) -> None:
    provider.person("stranger@example.com", "everyone", "<b>cooks</b>")
    answer = browser.sign_in("stranger@example.com")
    page = answer.content.decode()
    assert answer.status_code == 403
    for shown in ("stranger@example.com", "everyone", "&lt;b&gt;cooks&lt;/b&gt;", "not_admitted"):
        assert shown in page
    assert not browser.is_signed_in
    assert not User.objects.filter(email="stranger@example.com").exists()
    assert not SocialAccount.objects.exists()
    assert events("signin.failed") == [("unknown", "not_admitted", "")]


def test_the_subject_is_who_somebody_is_and_the_address_follows(
    browser: Browser,
    provider: ErringProvider,
    engineer: User,
    enqueued: list[tuple[str, int]],
) -> None:
    somebody = provider.person(engineer.email, name="Erin")
    subject = somebody.subject
    browser.sign_in(engineer.email)
    provider.token_claims = {"sub": subject, "email": "Married@Example.com", "name": "Erin M."}
    assert Browser().sign_in(engineer.email).status_code == 302
    engineer.refresh_from_db()
    assert (engineer.email, engineer.name) == ("married@example.com", "Erin M.")
    subjects = AuditEvent.objects.filter(action="access.changed").values_list("subject", flat=True)
    assert list(subjects) == ["~ person engineer@example.com: now married@example.com"]
    mails = AccountMail.objects.order_by("pk")
    assert list(mails.values_list("email", "what", "by")) == [
        ("engineer@example.com", "married@example.com", ""),
        ("married@example.com", "married@example.com", ""),
    ]
    assert [("portal.account_mail", mail.pk) for mail in mails] == enqueued


def test_an_address_that_is_somebody_else_s_here_is_not_taken(
    browser: Browser, provider: ErringProvider, engineer: User, teammate: User
) -> None:
    provider.person(engineer.email)
    browser.sign_in(engineer.email)
    provider.token_claims = {"email": teammate.email}
    assert Browser().sign_in(engineer.email).status_code == 302
    engineer.refresh_from_db()
    assert engineer.email == "engineer@example.com"


def test_a_bound_person_needs_no_address(
    browser: Browser, provider: ErringProvider, engineer: User
) -> None:
    provider.person(engineer.email)
    browser.sign_in(engineer.email)
    provider.token_claims = provider.userinfo_claims = {"email": None, "email_verified": None}
    again = Browser()
    assert again.sign_in(engineer.email).status_code == 302
    assert again.is_signed_in


def test_the_same_address_under_another_subject_is_refused(
    browser: Browser, provider: ErringProvider, engineer: User
) -> None:
    provider.person(engineer.email)
    browser.sign_in(engineer.email)
    provider.token_claims = {"sub": "somebody-else"}
    other = Browser()
    answer = other.sign_in(engineer.email)
    assert (answer.status_code, "bound_to_another" in answer.content.decode()) == (403, True)
    assert not other.is_signed_in
    assert events("signin.failed") == [(engineer.email, "bound_to_another", "")]


@pytest.mark.parametrize("said", [False, None, "false", 1])
def test_an_address_that_is_not_verified_binds_nobody(
    browser: Browser, provider: ErringProvider, engineer: User, said: Any
) -> None:
    provider.person(engineer.email)
    provider.token_claims = provider.userinfo_claims = {"email_verified": said}
    answer = browser.sign_in(engineer.email)
    assert (answer.status_code, "email_unverified" in answer.content.decode()) == (403, True)
    assert not browser.is_signed_in
    assert not SocialAccount.objects.exists()


def test_a_provider_that_does_not_say_verified_may_be_trusted(
    browser: Browser, provider: ErringProvider, engineer: User, settings: Settings
) -> None:
    settings.OPENID = replace(provider.settings, trusts_email=True)
    provider.userinfo_claims = {"email_verified": None}
    provider.person(engineer.email)
    provider.token_claims = {"email_verified": None}
    assert browser.sign_in(engineer.email).status_code == 302


def test_userinfo_may_say_that_the_token_s_address_is_verified(
    browser: Browser, provider: ErringProvider, engineer: User
) -> None:
    provider.person(engineer.email)
    provider.token_claims = {"email_verified": None}
    assert browser.sign_in(engineer.email).status_code == 302


def test_userinfo_of_another_address_verifies_nothing(
    browser: Browser, provider: ErringProvider, engineer: User
) -> None:
    provider.person(engineer.email)
    provider.token_claims = {"email_verified": None}
    provider.userinfo_claims = {"email": "another@example.com"}
    assert browser.sign_in(engineer.email).status_code == 403


def test_a_closed_account_stays_closed(
    browser: Browser, provider: ErringProvider, engineer: User
) -> None:
    User.objects.filter(pk=engineer.pk).update(is_active=False)
    provider.person(engineer.email)
    answer = browser.sign_in(engineer.email)
    assert (answer.status_code, "closed" in answer.content.decode()) == (403, True)


# -- Groups ----------------------------------------------------------------------------------------


def test_groups_come_from_userinfo_where_the_token_has_none(
    browser: Browser, provider: ErringProvider, mapping: None
) -> None:
    provider.person("new@example.com", "grafana-platform")
    provider.token_claims = {"groups": None}
    assert browser.sign_in("new@example.com").status_code == 302
    assert teams("new@example.com") == {"platform": "member"}


def test_the_token_s_groups_beat_those_of_userinfo(
    browser: Browser, provider: ErringProvider, mapping: None
) -> None:
    provider.person("new@example.com", "grafana-platform")
    provider.token_claims = {"email": None, "email_verified": None}
    provider.userinfo_claims = {"groups": ["portal-admins"]}
    browser.sign_in("new@example.com")
    assert not User.objects.get(email="new@example.com").is_admin


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("groups", {"groups": "grafana-platform"}),
        ("realm_access.roles", {"realm_access": {"roles": ["grafana-platform"]}}),
        ("https://example.com/groups", {"https://example.com/groups": ["grafana-platform"]}),
    ],
)
def test_the_claim_may_be_one_string_lie_inward_or_be_an_address(
    browser: Browser,
    provider: ErringProvider,
    mapping: None,
    settings: Settings,
    claim: str,
    said: dict[str, Any],
) -> None:
    settings.OPENID = replace(provider.settings, groups_claim=claim)
    provider.person("new@example.com")
    provider.token_claims = {"groups": None} | said
    assert browser.sign_in("new@example.com").status_code == 302
    assert teams("new@example.com") == {"platform": "member"}


OVERAGE = {
    "groups": None,
    "_claim_names": {"groups": "src1"},
    "_claim_sources": {"src1": {"endpoint": "https://graph.example/users/1/getMemberObjects"}},
}


@pytest.mark.parametrize("said", [OVERAGE, {"groups": None, "hasgroups": True}])
def test_groups_that_were_left_out_for_their_number_are_as_they_were(
    browser: Browser, provider: ErringProvider, mapping: None, said: dict[str, Any]
) -> None:
    provider.person("new@example.com", "grafana-leads", "portal-admins")
    browser.sign_in("new@example.com")
    provider.token_claims = said
    provider.userinfo_claims = {"groups": None}
    again = Browser()
    answer = again.sign_in("new@example.com")
    assert answer.status_code == 302
    assert "sent no list of your groups" in again.get("/tokens/").content.decode()
    assert User.objects.get(email="new@example.com").is_admin
    assert teams("new@example.com") == {"platform": "lead"}
    assert events("signin.succeeded")[-1][2] == (
        "single sign-on; the provider sent no list of groups"
    )


def test_a_missing_claim_means_no_groups(
    browser: Browser, provider: ErringProvider, mapping: None, engineer: User
) -> None:
    provider.person(engineer.email, "portal-admins")
    browser.sign_in(engineer.email)
    provider.token_claims = provider.userinfo_claims = {"groups": None}
    assert Browser().sign_in(engineer.email).status_code == 302
    engineer.refresh_from_db()
    assert not engineer.is_admin
    assert teams(engineer.email) == {"platform": "member"}


def test_five_thousand_groups_are_no_trouble(
    browser: Browser, provider: ErringProvider, mapping: None
) -> None:
    many = [f"group-{number:04}-of-a-large-company" for number in range(5000)]
    provider.person("new@example.com", *many, "grafana-platform")
    assert browser.sign_in("new@example.com").status_code == 302
    provider.person("stranger@example.com", *many)
    page = Browser().sign_in("stranger@example.com").content.decode()
    assert "and 4980 more" in page


# -- The provider's sign-out -----------------------------------------------------------------------


def test_a_sign_out_goes_on_to_the_provider_and_clears_what_is_cached(
    browser: Browser, provider: ErringProvider, engineer: User
) -> None:
    provider.person(engineer.email)
    browser.sign_in(engineer.email)
    answer = browser.post("/accounts/logout/")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    there = urlsplit(answer.headers["Location"])
    said = dict(parse_qsl(there.query))
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{provider.issuer}/end-session"
    assert said["post_logout_redirect_uri"] == "http://127.0.0.1:8000/accounts/login/"
    assert said["id_token_hint"].count(".") == 2
    assert not browser.is_signed_in


@pytest.mark.parametrize("by", ["sub", "sid"])
def test_a_sign_out_at_the_provider_ends_the_session_here(
    browser: Browser, provider: ErringProvider, engineer: User, teammate: User, by: str
) -> None:
    cache.clear()
    somebody = provider.person(engineer.email)
    provider.person(teammate.email)
    browser.sign_in(engineer.email)
    other = Browser()
    other.sign_in(teammate.email)
    [sid] = [one.number for one in provider.sessions.values() if one.person is somebody]
    message = provider.sign_out_token(
        **({"sub": somebody.subject} if by == "sub" else {"sid": sid})
    )
    told = Browser(enforce_csrf_checks=True)
    url = "/accounts/oidc/sso/logout/"
    assert told.post(url, {"logout_token": message}).status_code == 200
    assert not browser.is_signed_in
    assert other.is_signed_in
    ended = AuditEvent.objects.filter(action="session.ended")
    assert list(ended.values_list("subject", "count")) == [
        ("engineer@example.com: signed out at the provider", 1)
    ]
    assert told.post(url, {"logout_token": message}).status_code == 400, "once"


def test_whom_a_code_is_asked_of_here_is_signed_out_on_both_sides_all_the_same(
    provider: ErringProvider, engineer: User
) -> None:
    home, _ = factors.sign_in(factors.with_password(engineer))
    seed, _ = factors.add_app(home)
    somebody = provider.person(engineer.email)
    for periods, ends_here in enumerate((True, False)):  # a code is good once
        cache.clear()
        browser = Browser()
        assert browser.sign_in(engineer.email).headers["Location"] == factors.AUTHENTICATE
        browser.post(factors.AUTHENTICATE, {"code": code_of(seed, periods=periods)})
        assert browser.is_signed_in
        if ends_here:
            answer = browser.post("/accounts/logout/")
            assert answer.headers["Location"].startswith(f"{provider.issuer}/end-session")
        else:
            message = provider.sign_out_token(sub=somebody.subject)
            Browser().post("/accounts/oidc/sso/logout/", {"logout_token": message})
        assert not browser.is_signed_in


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another"},
        {"iss": "https://another.example"},
        {"events": {}},
        {"events": None},
        {"nonce": "n"},
        {"jti": None},
        {"sub": None},
        {"exp": 1},
        {"exp": None, "iat": int(time.time()) - 2 * 3600},
    ],
)
def test_a_message_that_is_no_sign_out_ends_nothing(
    browser: Browser, provider: ErringProvider, engineer: User, changed: dict[str, Any]
) -> None:
    somebody = provider.person(engineer.email)
    browser.sign_in(engineer.email)
    message = provider.sign_out_token(**{"sub": somebody.subject} | changed)
    for sent in (message, "", "no token", f"{message}x"):
        answer = Browser().post("/accounts/oidc/sso/logout/", {"logout_token": sent})
        assert answer.status_code == 400
    assert browser.is_signed_in


def test_the_platform_keeps_its_people(platform: Team, engineer: User) -> None:
    assert teams(engineer.email) == {"platform": "member"}


@pytest.mark.parametrize("as_json", [True, False])
def test_the_log_has_no_code_that_somebody_could_use(as_json: bool) -> None:
    where = "GET /accounts/oidc/sso/login/callback/?code=0123abcd&state=4567efgh"
    record = logging.LogRecord("x", logging.INFO, "x", 1, where, None, None)
    line = formatter(as_json=as_json).format(record)
    assert "callback/?(hidden)" in line
    assert "0123abcd" not in line
    assert "4567efgh" not in line
