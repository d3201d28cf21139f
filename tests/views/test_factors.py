"""Second factors: added, asked for, used once, removed, and what is kept of them."""

import json
import threading
import time
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.mail import EmailMessage
from django.db import connections
from django.test import Client
from pytest_django import Settings

from portal import factors, notify
from portal.flows.mail_account import mail_account
from portal.models import AccountMail, AccountMailKind, AuditEvent, User
from portal.views.accounts.arrival import METHOD
from tests.conftest import acting
from tests.totp import code_of
from tests.views.factors import (
    ADD_APP,
    ADD_PASSKEY,
    AUTHENTICATE,
    CODES,
    INDEX,
    LOGIN,
    NEW_CODES,
    PASSWORD,
    REAUTHENTICATE,
    REMOVE_APP,
    add_app,
    browser,
    is_in,
    offered_seed,
    shown_codes,
    sign_in,
    told,
    with_password,
    wrong_code,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]


@pytest.fixture
def sign_in_as(request: pytest.FixtureRequest) -> Callable[[User], Client]:
    """Without the form, as single sign-on does."""
    found: Callable[[User], Client] = request.getfixturevalue("sign_in")
    return found


@pytest.fixture
def person(engineer: User) -> User:
    return with_password(engineer)


# -- An authenticator app -----------------------------------------------------------------------


def test_an_app_is_added_by_a_code_of_it_and_asked_for_at_the_next_sign_in(person: User) -> None:
    client, _ = sign_in(person)
    seed, _ = add_app(client)
    assert told("signin.factor_changed") == [(person.email, "authenticator app added", None)]
    again, answer = sign_in(person)
    assert answer.headers["Location"] == AUTHENTICATE
    assert not is_in(again)
    assert again.post(AUTHENTICATE, {"code": code_of(seed)}).headers["Location"] == "/tokens/"
    assert is_in(again)


def test_a_wrong_code_is_a_mistake_beside_its_field_and_an_event(person: User) -> None:
    seed, _ = add_app(sign_in(person)[0])
    client, _ = sign_in(person)
    answer = client.post(AUTHENTICATE, {"code": wrong_code(seed)})
    assert answer.status_code == 422
    assert "This code is wrong, or it was used already" in answer.content.decode()
    assert not is_in(client)
    assert told("signin.failed") == [(person.email, "", None)]


def test_a_code_is_good_once_and_so_is_the_one_that_added_the_app(person: User) -> None:
    client, _ = sign_in(person)
    seed = offered_seed(client)
    first = code_of(seed)
    client.post(ADD_APP, {"code": first})
    for used in (first, code_of(seed, periods=-1)):
        other, _ = sign_in(person)
        assert other.post(AUTHENTICATE, {"code": used}).status_code == 422
    other, _ = sign_in(person)
    later = code_of(seed, periods=1)
    assert other.post(AUTHENTICATE, {"code": later}).status_code == 302
    other, _ = sign_in(person)
    assert other.post(AUTHENTICATE, {"code": later}).status_code == 422


def test_a_code_may_be_typed_with_blanks(person: User) -> None:
    seed, _ = add_app(sign_in(person)[0])
    client, _ = sign_in(person)
    code = code_of(seed)
    assert client.post(AUTHENTICATE, {"code": f" {code[:3]} {code[3:]} "}).status_code == 302


@pytest.mark.parametrize("typed", ["", "x" * 41, "\uff11" * 6, "\0\0\0\0\0\0", "-00001"])
def test_what_is_no_code_is_refused(typed: str, person: User) -> None:
    add_app(sign_in(person)[0])
    client, _ = sign_in(person)
    assert client.post(AUTHENTICATE, {"code": typed}).status_code == 422


def test_wrong_codes_are_limited_for_the_person_whatever_browser_they_come_from(
    person: User,
) -> None:
    seed, _ = add_app(sign_in(person)[0])
    answers = []
    for _ in range(12):
        client, _ = sign_in(person)
        answers.append(client.post(AUTHENTICATE, {"code": wrong_code(seed)}).status_code)
    assert answers == [422] * 10 + [429] * 2
    assert client.post(AUTHENTICATE, {"code": code_of(seed)}).status_code == 429
    [event] = AuditEvent.objects.filter(action="limit.exceeded")
    assert (event.actor, event.subject) == (person.email, "signin.code")


def test_a_wrong_code_adds_no_app_and_the_seed_stays(person: User) -> None:
    client, _ = sign_in(person)
    seed = offered_seed(client)
    answer = client.post(ADD_APP, {"code": wrong_code(seed)})
    assert answer.status_code == 422
    assert seed in answer.content.decode()
    assert not Authenticator.objects.exists()
    assert client.post(ADD_APP, {"code": code_of(seed)}).status_code == 302


def test_neither_seed_nor_codes_can_be_read_in_the_database(person: User) -> None:
    client, _ = sign_in(person)
    seed = offered_seed(client)
    assert seed not in json.dumps([one.get_decoded() for one in Session.objects.all()])
    client.post(ADD_APP, {"code": code_of(seed)})
    codes = shown_codes(client)
    sessions = json.dumps([one.get_decoded() for one in Session.objects.all()])
    rows = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    for secret in (seed, *codes, *(code.replace("-", "") for code in codes)):
        assert secret not in rows + sessions


def test_seeds_outlive_a_change_of_the_secret_key_and_are_locked_anew_when_used(
    person: User, settings: Settings
) -> None:
    seed, _ = add_app(sign_in(person)[0])
    before = Authenticator.objects.get(type="totp").data["secret"]
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 50, [settings.SECRET_KEY]
    client, _ = sign_in(person)
    assert client.post(AUTHENTICATE, {"code": code_of(seed)}).status_code == 302
    after = Authenticator.objects.get(type="totp").data["secret"]
    assert after != before
    settings.SECRET_KEY_FALLBACKS = []
    assert factors.open_seed(after) == seed
    client, _ = sign_in(person)
    assert client.post(AUTHENTICATE, {"code": code_of(seed, periods=1)}).status_code == 302


def test_without_the_key_that_locked_the_seed_codes_are_wrong_and_recovery_codes_right(
    person: User, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    seed, codes = add_app(sign_in(person)[0])
    settings.SECRET_KEY = "n" * 50
    client, _ = sign_in(person)
    assert client.post(AUTHENTICATE, {"code": code_of(seed)}).status_code == 422
    assert "SECRET_KEYS_RETIRED" in caplog.text
    assert client.post(AUTHENTICATE, {"code": codes[0]}).status_code == 302


# -- Recovery codes -----------------------------------------------------------------------------


def test_ten_recovery_codes_come_with_the_first_factor_and_each_lets_in_once(person: User) -> None:
    _, codes = add_app(sign_in(person)[0])
    assert len(set(codes)) == 10
    client, _ = sign_in(person)
    assert (
        client.post(AUTHENTICATE, {"code": codes[3].upper().replace("-", " ")}).status_code == 302
    )
    assert "You have 9 left" in client.get(INDEX).content.decode()
    client, _ = sign_in(person)
    assert client.post(AUTHENTICATE, {"code": codes[3]}).status_code == 422
    assert client.post(AUTHENTICATE, {"code": codes[4]}).status_code == 302


def test_the_codes_are_shown_until_they_are_saved_and_never_again(person: User) -> None:
    client, _ = sign_in(person)
    seed = offered_seed(client)
    client.post(ADD_APP, {"code": code_of(seed)})
    codes = shown_codes(client)
    assert shown_codes(client) == codes, "a reload loses none"
    assert client.get(f"{CODES}download/").content.decode().split() == codes
    client.post(CODES)
    assert shown_codes(client) == []
    assert client.get(f"{CODES}download/").status_code == 404
    assert "You have 10 codes left" in client.get(CODES).content.decode()


def test_the_codes_are_shown_for_ten_minutes(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = sign_in(person)
    client.post(ADD_APP, {"code": code_of(offered_seed(client))})
    assert shown_codes(client)
    monkeypatch.setattr("time.time", lambda now=time.time: now() + 601)
    assert shown_codes(client) == []


def test_new_codes_replace_those_before(person: User) -> None:
    client, _ = sign_in(person)
    _, before = add_app(client)
    assert client.post(NEW_CODES).headers["Location"] == CODES
    codes = shown_codes(client)
    assert not set(codes) & set(before)
    other, _ = sign_in(person)
    assert other.post(AUTHENTICATE, {"code": before[0]}).status_code == 422
    assert other.post(AUTHENTICATE, {"code": codes[0]}).status_code == 302
    assert told("signin.factor_changed")[-1] == (person.email, "new recovery codes made", None)


# -- Changing them ------------------------------------------------------------------------------


def test_a_change_is_mailed_and_ends_the_other_sessions(
    person: User, mailoutbox: list[EmailMessage]
) -> None:
    here, there = sign_in(person)[0], sign_in(person)[0]
    add_app(here)
    assert [is_in(here), is_in(there)] == [True, False]
    assert told("session.ended") == [(person.email, f"{person.email}: another second factor", 1)]
    mail_account(AccountMail.objects.get().pk)
    [mail] = mailoutbox
    assert mail.to == [person.email]
    assert "authenticator app added" in str(mail.body)
    assert not AccountMail.objects.exists()


def test_removing_the_only_factor_removes_the_codes_with_it(person: User) -> None:
    client, _ = sign_in(person)
    add_app(client)
    assert "Remove an authenticator app?" in client.get(REMOVE_APP).content.decode()
    assert client.post(REMOVE_APP).headers["Location"] == INDEX
    assert not Authenticator.objects.exists()
    assert is_in(client)
    assert is_in(sign_in(person)[0])


def test_whoever_must_have_a_factor_can_t_remove_the_only_one(
    person: User, settings: Settings
) -> None:
    client, _ = sign_in(person)
    add_app(client)
    settings.SIGN_IN = settings.SIGN_IN._replace(second_factor="everyone")
    answer = client.post(REMOVE_APP)
    assert answer.status_code == 409
    assert "Add another before you remove it" in answer.content.decode()
    assert Authenticator.objects.filter(type="totp").exists()


def test_a_session_that_was_left_open_changes_no_factor(person: User, settings: Settings) -> None:
    client, _ = sign_in(person)
    add_app(client)
    settings.STEP_UP_SECONDS = 0
    for path in (ADD_APP, REMOVE_APP, NEW_CODES):
        for answer in (client.get(path), client.post(path)):
            assert answer.headers["Location"].startswith(f"{REAUTHENTICATE}?next=")
    assert Authenticator.objects.filter(type="totp").exists()


def test_who_has_a_factor_is_asked_for_it_and_not_for_the_password(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = sign_in(person)
    seed, _ = add_app(client)
    monkeypatch.setattr("time.time", lambda now=time.time: now() + 301)
    answer = client.get(NEW_CODES, follow=True)
    page = "/accounts/2fa/reauthenticate/"
    assert answer.request["PATH_INFO"] == page
    asked = {"code": wrong_code(seed), "next": NEW_CODES}
    assert client.post(page, asked).status_code == 422
    assert client.post(REAUTHENTICATE, {"password": PASSWORD}).headers["Location"] == page
    before = client.session.session_key
    answer = client.post(page, asked | {"code": code_of(seed)})
    assert client.session.session_key != before
    assert answer.headers["Location"] == NEW_CODES
    assert client.get(NEW_CODES).status_code == 200


def test_who_has_none_confirms_by_the_password(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = sign_in(person)
    monkeypatch.setattr("time.time", lambda now=time.time: now() + 301)
    assert client.get(ADD_APP).headers["Location"].startswith(f"{REAUTHENTICATE}?next=")
    before = client.session.session_key
    answer = client.post(REAUTHENTICATE, {"password": PASSWORD, "next": ADD_APP})
    assert client.session.session_key != before
    assert answer.headers["Location"] == ADD_APP
    assert client.get(ADD_APP).status_code == 200


# -- Who must have one --------------------------------------------------------------------------


@pytest.fixture
def wanted(settings: Settings) -> None:
    settings.SIGN_IN = settings.SIGN_IN._replace(second_factor="privileged")


@pytest.mark.usefixtures("wanted")
def test_whom_the_setting_means_adds_a_factor_before_anything_else(lead: User) -> None:
    client, _ = sign_in(with_password(lead))
    assert client.get("/team/").headers["Location"] == INDEX
    assert "Add a second factor before you go on" in client.get(INDEX).content.decode()
    assert client.get("/tokens/name/").status_code == 401
    assert client.post("/tokens/new/").headers["Location"] == INDEX
    assert client.get("/admin/").headers["Location"] == INDEX
    client.post(ADD_APP, {"code": code_of(offered_seed(client))})
    assert client.get("/team/").headers["Location"] == INDEX, "the codes are to be saved first"
    assert client.post(CODES).headers["Location"] == "/team/", "where they wanted to go"
    assert client.get("/team/", follow=True).status_code == 200


@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize("who", ["lead", "admin", "auditor", "engineer"])
def test_privileged_means_leads_admins_and_auditors(
    who: str, request: pytest.FixtureRequest
) -> None:
    client, _ = sign_in(with_password(request.getfixturevalue(who)))
    assert is_in(client) == (who == "engineer")


def test_off_means_nobody_and_everyone_all(engineer: User, admin: User, settings: Settings) -> None:
    for second_factor, lets_in in (("off", True), ("everyone", False)):
        settings.SIGN_IN = settings.SIGN_IN._replace(second_factor=second_factor)
        for person in (engineer, admin):
            assert is_in(sign_in(with_password(person))[0]) == lets_in


def test_demo_people_need_none(admin: User, settings: Settings) -> None:
    settings.SIGN_IN = settings.SIGN_IN._replace(second_factor="everyone")
    User.objects.update(is_demo=True)
    assert is_in(sign_in(with_password(User.objects.get()))[0])


def test_sessions_of_before_go_on_until_the_next_sign_in(admin: User, settings: Settings) -> None:
    client, _ = sign_in(with_password(admin))
    settings.SIGN_IN = settings.SIGN_IN._replace(second_factor="everyone")
    assert is_in(client)


def test_djangos_admin_wants_the_second_factor_too(admin: User) -> None:
    seed, _ = add_app(sign_in(with_password(admin))[0])
    client = browser()
    client.post(LOGIN, {"login": admin.email, "password": PASSWORD})
    assert client.get("/admin/").headers["Location"].startswith("/accounts/login/")
    assert client.post(
        "/admin/login/", {"username": admin.email, "password": PASSWORD}
    ).status_code in (302, 403)
    assert client.get("/admin/").status_code == 302
    client.post(AUTHENTICATE, {"code": code_of(seed)})
    assert client.get("/admin/").status_code == 200


def test_a_pending_sign_in_belongs_to_its_browser(person: User) -> None:
    add_app(sign_in(person)[0])
    sign_in(person)
    assert Client().get(AUTHENTICATE).headers["Location"] == LOGIN


def test_who_was_closed_between_password_and_code_does_not_get_in(person: User) -> None:
    seed, _ = add_app(sign_in(person)[0])
    client, _ = sign_in(person)
    User.objects.update(is_active=False)
    client.post(AUTHENTICATE, {"code": code_of(seed)})
    assert not is_in(client)


def test_who_has_no_password_has_their_factors_at_the_provider(
    engineer: User, sign_in_as: Callable[[User], Client]
) -> None:
    client = sign_in_as(engineer)
    assert "second factors are your provider" in client.get(INDEX).content.decode()
    session = client.session
    session["account_authentication_methods"] = [
        {"method": METHOD, "confirmed": True, "at": time.time()}
    ]
    session["account_authentication_methods_user"] = str(engineer.pk)
    session.save()
    for path in (ADD_APP, ADD_PASSKEY):
        assert client.get(path).headers["Location"] == INDEX
        assert client.post(path, {"code": "000000"}).headers["Location"] == INDEX


def test_a_changed_address_is_told_to_the_one_before(
    person: User, admin: User, mailoutbox: list[EmailMessage]
) -> None:
    kind, before = AccountMailKind.ADDRESS_CHANGED, "before@example.com"
    mail_account(
        notify.tell_person(kind, person, actor=acting(admin), what=person.email, email=before)
    )
    [mail] = mailoutbox
    assert mail.to == [before]
    assert person.email in str(mail.body)
    assert f"By               {admin.email}" in str(mail.body)


# -- Between password and code ------------------------------------------------------------------


def test_a_password_that_was_changed_meanwhile_makes_the_pending_sign_in_void(person: User) -> None:
    client, _ = sign_in(person)
    seed, _ = add_app(client)
    thief, _ = sign_in(person)
    new = "another horse, another staple"
    client.post(
        "/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new}
    )
    answer = thief.post(AUTHENTICATE, {"code": code_of(seed)}, follow=True)
    assert "Your way to sign in was changed meanwhile" in answer.content.decode()
    assert not is_in(thief)


def test_the_log_says_by_what_somebody_signed_in(person: User) -> None:
    seed, codes = add_app(sign_in(person)[0])
    for code in (code_of(seed), codes[0]):
        client, _ = sign_in(person)
        sign_in(person, client)
        client.post(AUTHENTICATE, {"code": code})
    assert [subject for _, subject, _ in told("signin.succeeded")] == [
        "password",
        "password and authenticator app",
        "password and recovery code",
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["app", "recovery code"])
def test_of_two_who_use_one_code_at_the_same_moment_one_gets_in(kind: str, person: User) -> None:
    seed, codes = add_app(sign_in(person)[0])
    code = code_of(seed) if kind == "app" else codes[0]
    clients = [sign_in(person)[0] for _ in range(4)]
    together = threading.Barrier(len(clients), timeout=20)
    answers: list[int] = []

    def use(client: Client) -> None:
        together.wait()
        answers.append(client.post(AUTHENTICATE, {"code": code}).status_code)
        connections.close_all()

    threads = [threading.Thread(target=use, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [302, 422, 422, 422]
    assert [is_in(client) for client in clients].count(True) == 1
