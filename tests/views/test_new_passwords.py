"""What a new password must not be, beside what tests/views/test_passwords.py says; who is told."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core import signing
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from portal import passwords
from portal.flows.invite import invite
from portal.flows.mail_account import mail_account
from portal.flows.mail_password import mail_password
from portal.flows.reset_factors import reset_factors
from portal.models import AccountMail, AuditEvent, PasswordMail, User
from portal.scheduler import run_all as sweep
from tests.conftest import acting
from tests.servers import free_port
from tests.totp import code_of
from tests.views.factors import (
    AUTHENTICATE,
    INDEX,
    LOGIN,
    PASSWORD,
    REMOVE_APP,
    add_app,
    is_in,
    sign_in,
    with_password,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]

CHANGE = "/accounts/password/change/"
NEW = "another horse, another staple"


@pytest.fixture
def person(engineer: User) -> User:
    return with_password(engineer)


def change(client: Client, new: str, old: str = PASSWORD) -> Any:
    return client.post(CHANGE, {"oldpassword": old, "password1": new, "password2": new})


# -- How long -----------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [64, 1000])
def test_a_password_may_be_long(length: int, person: User) -> None:
    long = "xY3 é" * (length // 5)
    assert change(sign_in(person)[0], long).status_code == 302
    person.refresh_from_db()
    assert person.check_password(long)
    assert not person.check_password(long[:-1])


def test_beside_a_second_factor_eight_characters_do(person: User) -> None:
    client, _ = sign_in(person)
    add_app(client)
    assert "at least 8 characters" in change(client, "sevenup").content.decode()
    assert change(client, "eightups").status_code == 302


def test_a_common_one_of_eight_does_not(person: User) -> None:
    client, _ = sign_in(person)
    add_app(client)
    assert "too common" in change(client, "sunshine1").content.decode()


def test_whose_password_is_short_keeps_a_factor_or_adds_one_at_the_next_sign_in(
    person: User, admin: User
) -> None:
    client, _ = sign_in(person)
    add_app(client)
    change(client, "eightups")
    answer = client.post(REMOVE_APP)
    assert answer.status_code == 409
    assert "15 characters or more" in answer.content.decode()
    reset_factors(person, actor=acting(admin))
    client = Client()
    client.post(LOGIN, {"login": person.email, "password": "eightups"})
    assert client.get("/tokens/").headers["Location"] == INDEX
    assert change(client, NEW, old="eightups").status_code == 302
    assert client.get("/tokens/", follow=True).status_code == 200
    assert is_in(client), "a long one will do instead"


def test_the_page_says_beforehand_what_is_wanted_and_no_line_of_it_is_empty(person: User) -> None:
    page = sign_in(person)[0].get(CHANGE).content.decode()
    assert "15 characters or more, or 8 where you have a second factor" in page
    assert "<li></li>" not in page


# -- Those that have leaked ---------------------------------------------------------------------


def use_list(settings: Settings, file: Path) -> None:
    settings.SIGN_IN = settings.SIGN_IN._replace(leaked_passwords=str(file))


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest().upper()


def test_a_password_of_the_operator_s_list_is_refused(
    person: User, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "leaked.txt"
    file.write_text(f"hunter2\n{NEW}\n")
    use_list(settings, file)
    client, _ = sign_in(person)
    assert "have leaked elsewhere" in change(client, NEW).content.decode()
    assert change(client, f"{NEW}!").status_code == 302


@pytest.mark.parametrize("count", ["", ":12"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("many", [1, 2, 3, 1000])
def test_a_list_of_hashes_is_searched_by_halves(
    many: int, end: str, count: str, tmp_path: Path
) -> None:
    listed = [f"password {number}" for number in range(many)]
    file = tmp_path / "pwned.txt"
    lines = sorted(sha1(password) + count for password in listed)
    file.write_bytes("".join(line + end for line in lines).encode())
    assert all(passwords.is_listed(file, password) for password in listed)
    assert not any(passwords.is_listed(file, f"other {number}") for number in range(200))


@pytest.mark.parametrize("text", ["", "\n", "\n\n", "x", "ABC\n"])
def test_an_odd_list_holds_nothing(text: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.txt"
    file.write_text(text)
    assert not passwords.is_listed(file, NEW)


# -- Who is told --------------------------------------------------------------------------------


def send_mails() -> None:
    AccountMail.objects.update(rung_at=None)
    for mail_id in sweep().account_mail:
        mail_account(mail_id)


def test_a_new_password_is_told_by_mail_with_the_address_that_it_came_from(
    person: User, mailoutbox: list[EmailMessage], enqueued: list[Any]
) -> None:
    client, _ = sign_in(person, Client(REMOTE_ADDR="192.0.2.9"))
    assert change(client, NEW).status_code == 302
    assert ("portal.account_mail", AccountMail.objects.get().pk) in enqueued
    send_mails()
    [mail] = mailoutbox
    assert mail.to == [person.email]
    assert mail.subject == "Your password for the token portal was changed"
    assert "192.0.2.9" in str(mail.body)
    assert NEW not in str(mail.body)


def test_an_invitation_that_is_used_is_an_event_and_a_mail(
    person: User, mailoutbox: list[EmailMessage]
) -> None:
    there, _ = sign_in(person)
    secret = invite(person.email, actor=acting(person))
    fields = {"password1": NEW, "password2": NEW}
    Client().post(f"/accounts/invitation/{secret}/", fields, REMOTE_ADDR="192.0.2.9")
    event = AuditEvent.objects.get(action="signin.factor_changed")
    assert (event.actor, event.subject, event.address) == (person.email, "password", "192.0.2.9")
    assert not is_in(there)
    send_mails()
    assert [mail.subject for mail in mailoutbox] == [
        "Your password for the token portal was changed"
    ]


def test_what_the_mail_server_does_not_take_is_tried_again_for_three_days(
    person: User, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    change(sign_in(person)[0], NEW)
    send_mails()
    row = AccountMail.objects.get()
    assert (row.tries, row.rung_at) == (1, None)
    assert sweep().account_mail == [], "it waits before it is tried again"
    settings.EMAIL_BACKEND = working
    AccountMail.objects.update(not_before=None)
    send_mails()
    assert len(mailoutbox) == 1
    AccountMail.objects.create(person=person, email=person.email, kind="password_changed")
    AccountMail.objects.update(created_at=row.created_at - timedelta(days=4))
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    send_mails()
    assert not AccountMail.objects.exists()


# -- Links --------------------------------------------------------------------------------------


def reset_link(person: User, mailoutbox: list[EmailMessage], *, address: str = "192.0.2.7") -> str:
    asked = {"email": person.email}
    Client().post("/accounts/password/reset/", asked, REMOTE_ADDR=address)
    mail_password(PasswordMail.objects.latest("pk").pk)
    [link] = [word for word in str(mailoutbox[-1].body).split() if "/reset/key/" in word]
    return "/accounts/" + link.partition("/accounts/")[2]


def test_a_link_lives_an_hour(
    person: User, mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    link = reset_link(person, mailoutbox)
    for minutes, is_good in ((59, True), (61, False)):
        now = datetime.now() + timedelta(minutes=minutes)  # noqa: DTZ005 (as Django's)
        monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self, now=now: now)
        page = Client().get(link, follow=True).content.decode()
        assert ("This link no longer works" not in page) == is_good
    assert "for an hour" in str(mailoutbox[0].body)


def test_a_link_that_was_asked_for_is_an_event_that_names_whose_it_is_and_from_where(
    person: User, mailoutbox: list[EmailMessage]
) -> None:
    reset_link(person, mailoutbox, address="192.0.2.9")
    [event] = AuditEvent.objects.filter(action="person.invited")
    assert (event.actor, event.address) == ("unknown", "192.0.2.9")
    assert event.subject == f"{person.email}: a link to set a password was asked for"


def test_a_mail_that_is_tried_twice_is_one_event(
    person: User, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    Client().post("/accounts/password/reset/", {"email": person.email})
    for _ in range(2):
        PasswordMail.objects.update(not_before=None)
        mail_password(PasswordMail.objects.get().pk)
    assert AuditEvent.objects.filter(action="person.invited").count() == 1


def test_a_reset_password_does_not_do_away_with_the_second_factor(
    person: User, mailoutbox: list[EmailMessage]
) -> None:
    seed, _ = add_app(sign_in(person)[0])
    client = Client()
    page = client.get(reset_link(person, mailoutbox), follow=True)
    client.post(page.request["PATH_INFO"], {"password1": NEW, "password2": NEW})
    answer = client.post(LOGIN, {"login": person.email, "password": NEW})
    assert answer.headers["Location"] == AUTHENTICATE
    assert not is_in(client)
    client.post(AUTHENTICATE, {"code": code_of(seed)})
    assert is_in(client)


def test_a_forged_invitation_is_none(person: User) -> None:
    forged = signing.dumps([person.pk, "x"], salt="another")
    assert Client().get(f"/accounts/invitation/{forged}/").status_code == 410
