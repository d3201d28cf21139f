"""An operator's link lets a person set a password, once, without a mail server."""

import io
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import mail, signing
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.flows import invite as invite_flow
from portal.life import Effects
from portal.logs import formatter
from portal.models import Action, AuditEvent, User
from portal.views.accounts import invitation

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"
LOGIN = "/accounts/login/"


def invite(email: str = "engineer@example.com") -> str:
    """The link that the command prints."""
    out = io.StringIO()
    call_command("invite", email, stdout=out)
    [link] = out.getvalue().splitlines()
    return link


def path(link: str, settings: Settings) -> str:
    assert link.startswith(f"{settings.PORTAL_ORIGIN}/accounts/invitation/")
    return link.removeprefix(settings.PORTAL_ORIGIN)


def passwords(first: str = PASSWORD, second: str = "") -> dict[str, str]:
    return {"password1": first, "password2": second or first}


def is_in(client: Client) -> bool:
    return client.get("/tokens/").status_code == 200


def signs_in(email: str, password: str) -> bool:
    client = Client()
    client.post(LOGIN, {"login": email, "password": password})
    return is_in(client)


def test_the_link_ends_with_the_person_signed_in_by_their_password(
    engineer: User, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "no.such.backend"
    link = path(invite(), settings)
    client = Client()
    page = client.get(link)
    assert page.status_code == 200
    assert "engineer@example.com" in page.content.decode()
    answer = client.post(link, passwords())
    assert (answer.status_code, answer.headers["Location"]) == (302, LOGIN)
    assert "Your password is set" in client.get(LOGIN).content.decode()
    client.post(LOGIN, {"login": engineer.email, "password": PASSWORD})
    assert is_in(client)
    assert mail.outbox == []


def test_it_is_on_record_with_the_address_and_without_the_link(engineer: User) -> None:
    link = invite()
    event = AuditEvent.objects.get(action=Action.PERSON_INVITED)
    assert (event.action, event.subject) == ("person.invited", "engineer@example.com")
    assert link.split("/")[-2] not in event.text


def test_it_is_good_once(engineer: User, settings: Settings) -> None:
    link = path(invite(), settings)
    other = path(invite(), settings)
    for _ in range(3):
        assert Client().get(link).status_code == 200, "to look uses nothing up"
    assert Client().post(link, passwords()).status_code == 302
    for again in (link, other):
        assert Client().get(again).status_code == 410
        answer = Client().post(again, passwords("another good password"))
        assert answer.status_code == 410
        assert "This invitation no longer works" in answer.content.decode()
    assert signs_in(engineer.email, PASSWORD)
    assert path(invite(), settings) not in (link, other)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_it_at_the_same_moment_one_sets_the_password(
    engineer: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = path(invite(), settings)
    both_have_looked = threading.Barrier(2, timeout=10)
    accept = invite_flow.accept

    def accept_together(secret: str, password: str, **browser: Any) -> Effects | None:
        both_have_looked.wait()
        return accept(secret, password, **browser)

    monkeypatch.setattr(invitation, "accept", accept_together)
    answers: dict[str, Any] = {}

    def use(password: str) -> None:
        answers[password] = Client().post(link, passwords(password)).status_code
        connections.close_all()

    threads = [threading.Thread(target=use, args=(f"{PASSWORD} {n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers.values()) == [302, 410]
    [password] = [one for one, status in answers.items() if status == 302]
    engineer.refresh_from_db()
    assert engineer.check_password(password)


def test_it_is_good_for_a_day(
    engineer: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = path(invite(), settings)
    now = timezone.now().timestamp()
    for hours, status in ((23.9, 200), (24.1, 410)):
        later = now + timedelta(hours=hours).total_seconds()
        monkeypatch.setattr(signing, "time", SimpleNamespace(time=lambda later=later: later))
        assert Client().get(link).status_code == status
        if status == 410:
            assert Client().post(link, passwords()).status_code == 410
    engineer.refresh_from_db()
    assert not engineer.has_usable_password()


def test_what_is_wrong_with_a_password_is_said_beside_it_and_the_link_stays_good(
    engineer: User, settings: Settings
) -> None:
    link = path(invite(), settings)
    wrong: tuple[dict[str, str], ...] = (
        passwords("short"),
        passwords(PASSWORD, "another one"),
        passwords("password123"),
        {},
    )
    for fields in wrong:
        answer = Client().post(link, fields)
        assert answer.status_code == 422
        assert answer.context["form"].errors
    engineer.refresh_from_db()
    assert not engineer.has_usable_password()
    assert Client().post(link, passwords()).status_code == 302


def test_a_link_that_somebody_has_changed_is_none(engineer: User, settings: Settings) -> None:
    secret = path(invite(), settings).split("/")[-2]
    for other in (secret[:-1], f"{secret}x", secret.swapcase(), "x", "a:b:c", "\0", "%00"):
        assert Client().get(f"/accounts/invitation/{other}/").status_code in (404, 410)


def test_a_link_of_one_person_sets_nobody_else_s_password(
    engineer: User, teammate: User, settings: Settings
) -> None:
    assert Client().post(path(invite(), settings), passwords()).status_code == 302
    teammate.refresh_from_db()
    assert not teammate.has_usable_password()


def test_who_was_signed_in_as_somebody_else_is_signed_out(
    engineer: User, admin: User, settings: Settings, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(admin)
    link = path(invite(), settings)
    assert client.get(link).status_code == 200
    assert is_in(client)
    client.post(link, passwords())
    assert not is_in(client)


def test_an_operator_may_invite_who_has_a_password_and_their_sessions_end(
    engineer: User, settings: Settings
) -> None:
    engineer.set_password("the old one of a long time ago")
    engineer.save()
    client = Client()
    client.force_login(engineer)
    assert Client().post(path(invite(), settings), passwords()).status_code == 302
    assert not is_in(client)
    assert not signs_in(engineer.email, "the old one of a long time ago")


@pytest.mark.parametrize("email", ["ENGINEER@Example.com", " engineer@example.com "])
def test_the_address_is_found_as_at_sign_in(engineer: User, settings: Settings, email: str) -> None:
    assert Client().get(path(invite(email), settings)).status_code == 200


def refused(email: str) -> str:
    with pytest.raises(CommandError) as error:
        invite(email)
    assert not AuditEvent.objects.filter(action=Action.PERSON_INVITED).exists()
    return str(error.value)


def test_nobody_is_invited_who_is_not_here_or_may_not_sign_in(engineer: User) -> None:
    assert "nobody@example.com is nobody's address here" in refused("nobody@example.com")
    User.objects.update(is_active=False)
    assert "engineer@example.com may not sign in" in refused("engineer@example.com")


def test_an_account_that_was_closed_meanwhile_is_not_let_in(
    engineer: User, settings: Settings
) -> None:
    link = path(invite(), settings)
    User.objects.update(is_active=False)
    assert Client().get(link).status_code == 410
    assert Client().post(link, passwords()).status_code == 410


def test_without_sign_in_by_password_there_are_no_invitations(
    engineer: User, settings: Settings
) -> None:
    link = path(invite(), settings)
    settings.PASSWORD_SIGN_IN = False
    with pytest.raises(CommandError, match="PORTAL_PASSWORD_SIGN_IN is off"):
        invite()
    assert Client().get(link).status_code == 410
    assert Client().post(link, passwords()).status_code == 410
    assert AuditEvent.objects.filter(action=Action.PERSON_INVITED).count() == 1


def test_the_page_tells_its_address_to_nobody(engineer: User, settings: Settings) -> None:
    page = Client().get(path(invite(), settings))
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert "no-store" in page.headers["Cache-Control"]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("where", ["/accounts/invitation/{}/", "/accounts/password/reset/key/{}/"])
def test_no_log_holds_a_link_that_sets_a_password(as_json: bool, where: str) -> None:
    secret = "WzEsImFiYyJd:1abcde:s-ecret_0"
    for text in (
        f"GET {where.format(secret)}",
        f"'{where.format(secret)[:-1]}'",
        where.format(secret),
    ):
        record = logging.LogRecord("x", logging.INFO, "x", 1, text, None, None)
        line = formatter(as_json=as_json).format(record)
        assert secret not in line
        assert "/(hidden)" in line
