"""Mails: written with what they tell of, sent once, and without a key."""

import re
import smtplib
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from portal import notify
from portal.flows.mail import mail
from portal.flows.revoke import cancel, revoke
from portal.models import (
    Action,
    AuditEvent,
    Heartbeat,
    Notice,
    NoticeKind,
    State,
    Team,
    Token,
    User,
)
from portal.scheduler import run_all as sweep
from tests.conftest import acting

pytestmark = pytest.mark.django_db

DAY = 86_400
KEY = f"glsa_{'k' * 32}_00000000"


@pytest.fixture
def ending(make_token: Callable[..., Token], engineer: User) -> Callable[..., Token]:
    """An active token that lives for 30 days, and ends so many days from now."""

    def make(days: float, **fields: Any) -> Token:
        values = {
            "state": State.ACTIVE,
            "seconds_to_live": 30 * DAY,
            "expires_at": timezone.now() + timedelta(days=days),
        }
        return make_token(engineer, **(values | fields))

    return make


def tell(kind: NoticeKind, token: Token, *to: User, **fields: str) -> Notice:
    with transaction.atomic():
        notify.tell(kind, token=token, to=to, **fields)
    return Notice.objects.filter(token=token, kind=kind).latest("pk")


def send_all() -> None:
    for notice_id in sweep().mail:
        mail(notice_id)


# -- Writing ------------------------------------------------------------------------------------


def test_what_did_not_happen_is_told_to_nobody(ending: Callable[..., Token], lead: User) -> None:
    token = ending(20)
    with transaction.atomic():
        notify.tell(NoticeKind.REVOKED, token=token, to=[lead])
        transaction.set_rollback(True)
    assert not Notice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_telling_belongs_inside_the_transaction(ending: Callable[..., Token], lead: User) -> None:
    with pytest.raises(transaction.TransactionManagementError):
        notify.tell(NoticeKind.REVOKED, token=ending(20), to=[lead])


def test_who_is_named_twice_is_told_once_and_who_left_is_not_told(
    ending: Callable[..., Token], engineer: User, lead: User
) -> None:
    lead.is_active = False
    lead.save()
    tell(NoticeKind.REVOKED, ending(20), engineer, engineer, lead)
    assert [notice.recipient for notice in Notice.objects.all()] == [engineer]


def test_an_owner_is_told_why_somebody_else_ended_their_token(
    ending: Callable[..., Token], lead: User
) -> None:
    token = ending(20)
    revoke(token.pk, actor=acting(lead), reason=f"{KEY} was in a ticket")
    send_all()
    [message] = outbox.outbox
    assert message.to == ["engineer@example.com"]
    assert message.subject == f"Revoked: {token.name}"
    assert "lead@example.com revoked your token" in message.body
    assert "glsa_(hidden) was in a ticket" in message.body
    assert KEY not in message.body
    assert f"/tokens/{token.pk}/" in message.body


def test_who_ends_their_own_is_not_told(ending: Callable[..., Token], engineer: User) -> None:
    revoke(ending(20).pk, actor=acting(engineer))
    assert not Notice.objects.exists()


def test_an_owner_is_told_who_withdrew_their_request(
    make_token: Callable[..., Token], engineer: User, lead: User
) -> None:
    cancel(make_token(engineer).pk, actor=acting(lead), reason="not this one")
    send_all()
    [message] = outbox.outbox
    assert "lead@example.com withdrew it: not this one" in message.body


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_mail_says_what_it_is_about(
    make_token: Callable[..., Token], engineer: User, lead: User, kind: NoticeKind
) -> None:
    old = make_token(engineer, name="ci & co", state=State.ACTIVE, revoke_at=timezone.now())
    token = make_token(
        engineer,
        name="<ci>-2",
        replaces=old,
        overlap_seconds=3600,
        reason="it's for deploys",
        expires_at=timezone.now() + timedelta(days=1),
    )
    if kind == NoticeKind.REPLACED:
        token = old
    message = notify.compose(tell(kind, token, lead, by="lead@example.com", reason="because"))
    assert "\n" not in message.subject
    assert 10 < len(message.subject) < 120
    assert token.name in message.body, "nothing is escaped"
    assert "&lt;" not in message.body
    assert "&#x27;" not in message.body
    assert f"http://127.0.0.1:8000/tokens/{token.pk}/" in message.body
    assert message.to == ["lead@example.com"]
    assert "None" not in message.body
    assert "{" not in message.body
    assert "\n\n\n" not in message.body
    assert len(re.findall(r"https?://", str(message.body))) == 1, "one link each"
    assert isinstance(message, EmailMultiAlternatives)
    [(html, kind_of_part)] = message.alternatives
    assert kind_of_part == "text/html"
    assert str(html).count("href=") == 1
    assert "&lt;ci&gt;" in str(html) or kind == NoticeKind.REPLACED


# -- Sending ------------------------------------------------------------------------------------


@pytest.fixture
def notice(ending: Callable[..., Token], engineer: User) -> Notice:
    return tell(NoticeKind.REVOKED, ending(20), engineer, by="lead@example.com")


def test_a_mail_goes_out_once(notice: Notice) -> None:
    assert sweep().mail == [notice.pk]
    assert sweep().mail == [], "it has just been rung"
    assert mail(notice.pk)
    assert not mail(notice.pk)
    notice.refresh_from_db()
    assert notice.sent_at is not None
    assert len(outbox.outbox) == 1
    assert sweep().mail == []


def test_two_workers_with_the_same_message_send_once(
    notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def send_while_another_worker_tries(message: EmailMessage, **_: Any) -> int:
        sent.append(message)
        assert not mail(notice.pk)
        return 1

    monkeypatch.setattr(EmailMessage, "send", send_while_another_worker_tries)
    assert mail(notice.pk)
    assert len(sent) == 1


@pytest.mark.parametrize(
    "trouble", [ConnectionRefusedError(), smtplib.SMTPServerDisconnected(), TimeoutError()]
)
def test_what_the_mail_server_does_not_take_is_sent_later(
    notice: Notice, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise trouble

    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", refuse)
        assert not mail(notice.pk)
    assert Heartbeat.objects.filter(kind="mail_trouble").exists(), "so /readyz names it"
    notice.refresh_from_db()
    assert (notice.tries, notice.sent_at) == (1, None)
    assert notice.not_before is not None
    assert timezone.now() < notice.not_before < timezone.now() + timedelta(seconds=31)
    assert sweep().mail == [], "it waits"
    Notice.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    send_all()
    assert len(outbox.outbox) == 1


def test_a_mail_that_no_server_takes_for_three_days_is_given_up(
    notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailMessage, "send", refuse)
    Notice.objects.update(created_at=timezone.now() - timedelta(days=3, minutes=1), tries=80)
    assert not mail(notice.pk)
    notice.refresh_from_db()
    assert notice.dropped_at is not None
    assert sweep().mail == []


# -- Before an end ------------------------------------------------------------------------------


def test_owner_and_lead_are_told_seven_days_and_one_day_before_once_each(
    ending: Callable[..., Token], lead: User
) -> None:
    token = ending(6.9)
    for _ in range(2):
        send_all()
    assert sorted(message.to[0] for message in outbox.outbox) == [
        "engineer@example.com",
        "lead@example.com",
    ]
    assert all("Ends in 7 days" in message.subject for message in outbox.outbox)
    assert f"/tokens/{token.pk}/reissue/" in outbox.outbox[0].body
    Token.objects.update(expires_at=timezone.now() + timedelta(hours=23))
    for _ in range(2):
        send_all()
    assert [m.subject[:13] for m in outbox.outbox[2:]] == ["Ends in 1 day", "Ends in 1 day"]
    events = AuditEvent.objects.filter(action=Action.TOKEN_EXPIRY_NOTIFIED).order_by("seq")
    assert {event.subject for event in events} == {
        f"{kind}: mailed to {person}@example.com"
        for kind in ("expires_in_7_days", "expires_in_1_day")
        for person in ("engineer", "lead")
    }
    assert events.count() == 4


def test_without_a_lead_an_admin_is_told_too(ending: Callable[..., Token], admin: User) -> None:
    ending(6)
    send_all()
    assert sorted(m.to[0] for m in outbox.outbox) == ["admin@example.com", "engineer@example.com"]


def test_the_admins_are_told_of_a_closed_teams_tokens_and_its_leads_are_not(
    ending: Callable[..., Token], lead: User, admin: User
) -> None:
    Team.objects.filter(pk=ending(6).team_id).update(closed_at=timezone.now())
    send_all()
    assert sorted(m.to[0] for m in outbox.outbox) == ["admin@example.com", "engineer@example.com"]


@pytest.mark.parametrize(
    ("days", "seconds_to_live"), [(7.1, 30 * DAY), (0.9, DAY), (6, 7 * DAY), (-0.1, 30 * DAY)]
)
def test_nobody_is_warned_early_or_of_a_life_that_was_never_longer(
    ending: Callable[..., Token], days: float, seconds_to_live: int
) -> None:
    ending(days, seconds_to_live=seconds_to_live)
    sweep()
    assert not Notice.objects.exists()


def test_a_portal_that_was_away_warns_once_and_not_twice_at_once(
    ending: Callable[..., Token], engineer: User
) -> None:
    ending(0.5)
    send_all()
    assert [m.subject[:13] for m in outbox.outbox] == ["Ends in 1 day"]


def test_what_is_being_replaced_is_not_to_be_renewed(ending: Callable[..., Token]) -> None:
    ending(6, revoke_at=timezone.now() + timedelta(hours=23))
    send_all()
    [message] = outbox.outbox
    assert message.subject.startswith("Ends within 1 day")
    assert "/reissue/" not in message.body


def test_nobody_is_warned_of_the_end_of_what_has_ended_meanwhile(
    ending: Callable[..., Token], lead: User
) -> None:
    token = ending(6)
    waiting = sweep().mail
    Token.objects.filter(pk=token.pk).update(state=State.REVOKED)
    assert [mail(notice_id) for notice_id in waiting] == [False, False]
    assert outbox.outbox == []
    assert sweep().mail == []


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_warn_once(ending: Callable[..., Token], lead: User) -> None:
    for _ in range(5):
        ending(6)

    def run() -> None:
        sweep()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Notice.objects.count() == 10


def test_a_silent_mail_server_does_not_hold_a_worker(settings: Settings) -> None:
    assert settings.EMAIL_TIMEOUT == 10
