"""What an admin does to another person's sign-in: sessions are ended, lost factors reset."""

from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.test import Client

from portal.flows.mail_account import mail_account
from portal.models import AccountMail, User
from tests.views.factors import add_app, is_in, sign_in, told, with_password

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]

PEOPLE = "/admin/portal/user/"


@pytest.fixture
def person(engineer: User) -> User:
    return with_password(engineer)


@pytest.fixture
def desk(admin: User) -> Client:
    return sign_in(with_password(admin))[0]


def act(desk: Client, action: str, *people: User, **fields: str) -> Any:
    chosen = [str(person.pk) for person in people]
    return desk.post(PEOPLE, {"action": action, "_selected_action": chosen, **fields})


def test_an_admin_ends_another_person_s_sessions_once_they_are_sure(
    desk: Client, person: User, admin: User, lead: User
) -> None:
    here, there = sign_in(person)[0], sign_in(person)[0]
    theirs, _ = sign_in(with_password(lead))
    page = act(desk, "end_sessions", person)
    assert page.status_code == 200
    assert person.email in page.content.decode()
    assert [is_in(client) for client in (here, there)] == [True, True]
    assert act(desk, "end_sessions", person, sure="yes").status_code == 302
    assert [is_in(client) for client in (here, there, theirs)] == [False, False, True]
    assert told("session.ended") == [(admin.email, f"{person.email}: all were ended", 2)]
    assert is_in(sign_in(person)[0])


def test_an_admin_resets_a_lost_factor_which_is_an_event_and_a_mail(
    desk: Client, person: User, admin: User, mailoutbox: list[EmailMessage]
) -> None:
    client, _ = sign_in(person)
    add_app(client)
    AccountMail.objects.all().delete()
    assert "make sure" in act(desk, "reset_second_factors", person).content.decode()
    assert Authenticator.objects.exists()
    act(desk, "reset_second_factors", person, sure="yes")
    assert not Authenticator.objects.exists()
    assert not is_in(client)
    said = f"{person.email}: reset: an authenticator app"
    assert told("signin.factor_changed")[-1] == (admin.email, said, None)
    mail_account(AccountMail.objects.get().pk)
    [mail] = mailoutbox
    assert mail.to == [person.email]
    assert f"By               {admin.email}" in str(mail.body)
    assert is_in(sign_in(person)[0])


def test_one_without_a_factor_has_nothing_to_reset(desk: Client, person: User) -> None:
    client, _ = sign_in(person)
    act(desk, "reset_second_factors", person, sure="yes")
    assert told("signin.factor_changed") == []
    assert not AccountMail.objects.exists()
    assert is_in(client)


def test_an_admin_does_neither_to_themself(desk: Client, admin: User) -> None:
    add_app(desk)
    for action in ("end_sessions", "reset_second_factors"):
        answer = act(desk, action, admin, sure="yes")
        assert answer.status_code == 302
        assert "Left out yourself" in desk.get(PEOPLE).content.decode()
    assert is_in(desk)
    assert Authenticator.objects.filter(type="totp").exists()


def test_nobody_else_does_it(person: User, lead: User) -> None:
    client, _ = sign_in(with_password(lead))
    theirs, _ = sign_in(person)
    add_app(theirs)
    for action in ("end_sessions", "reset_second_factors"):
        assert act(client, action, person, sure="yes").status_code in (302, 403)
    assert is_in(theirs)
    assert Authenticator.objects.filter(type="totp").exists()


def test_an_admin_reads_nobody_s_seed(desk: Client, person: User) -> None:
    add_app(sign_in(person)[0])
    row = Authenticator.objects.first()
    assert row is not None
    for path in ("", f"{row.pk}/change/", f"{row.pk}/delete/", "add/"):
        assert desk.get(f"/admin/mfa/authenticator/{path}").status_code == 403


def test_an_operator_resets_the_factor_of_the_last_admin(admin: User) -> None:
    add_app(sign_in(with_password(admin))[0])
    out = StringIO()
    call_command("reset_factor", admin.email.upper(), stdout=out)
    assert "were reset" in out.getvalue()
    assert not Authenticator.objects.exists()
    assert told("signin.factor_changed")[-1][0] == "portal"


@pytest.mark.parametrize("email", ["nobody@example.com", "x", "engineer@example.com"])
def test_the_command_says_when_there_is_nothing_to_reset(email: str, person: User) -> None:
    with pytest.raises(CommandError, match=r"nobody's address|has no second factor"):
        call_command("reset_factor", email)
