"""Which mails a person gets: by their page, by a mail's own button; and what admins see of it."""

import re
import smtplib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail import EmailMessage
from django.db import transaction
from django.test import Client
from django.utils import timezone

from portal import notify
from portal.flows.mail import mail
from portal.flows.mail_account import mail_account
from portal.flows.mail_lead import mail_lead
from portal.models import (
    AccountMail,
    AccountMailKind,
    Action,
    AuditEvent,
    Heartbeat,
    LeadMail,
    LeadMailKind,
    LostMail,
    MailTopic,
    Notice,
    NoticeKind,
    State,
    Team,
    Token,
    UnwantedMail,
    User,
)
from portal.models.notices import expiry_kind
from portal.scheduler import run_all as sweep
from portal.stopping import stop_path
from tests.conftest import acting
from tests.reading import words

pytestmark = pytest.mark.django_db
DAY = 86_400


@pytest.fixture
def clients(sign_in: Callable[[User], Client]) -> Callable[[User], Client]:
    return sign_in


@pytest.fixture
def ending(make_token: Callable[..., Token], engineer: User) -> Callable[[float], Token]:
    def make(days: float) -> Token:
        return make_token(
            engineer,
            state=State.ACTIVE,
            seconds_to_live=30 * DAY,
            expires_at=timezone.now() + timedelta(days=days),
        )

    return make


def send_all() -> list[tuple[str, str]]:
    outbox.outbox.clear()
    for notice_id in sweep().mail:
        mail(notice_id)
    return sorted((one.to[0].partition("@")[0], one.subject[:13]) for one in outbox.outbox)


def topics(person: User) -> set[str]:
    return set(UnwantedMail.objects.filter(person=person).values_list("topic", flat=True))


# -- What a person chooses ----------------------------------------------------------------------


def test_what_is_not_ticked_is_not_mailed_and_both_are_events(
    clients: Callable[[User], Client], lead: User, ending: Callable[[float], Token]
) -> None:
    client = clients(lead)
    page = client.get("/accounts/mails/").content.decode()
    assert page.count('name="topic"') == 4
    assert page.count(" checked") == 4
    assert client.post("/accounts/mails/", {"topic": ["ends_early", "digest"]}).status_code == 302
    assert topics(lead) == {"ends_of_team", "nearly_full"}
    client.post("/accounts/mails/", {"topic": ["ends_early", "digest"]})
    [event] = AuditEvent.objects.filter(action=Action.SETTINGS_CHANGED)
    assert event.actor == lead.email
    assert "not wanted are ends_of_team, nearly_full" in event.subject
    ending(6)
    assert send_all() == [("engineer", "Ends in 7 day")]
    assert client.get("/accounts/mails/").content.decode().count(" checked") == 2


def test_the_last_warning_of_their_own_token_is_mailed_to_everybody(
    ending: Callable[[float], Token], engineer: User
) -> None:
    UnwantedMail.objects.create(person=engineer, topic=MailTopic.ENDS_EARLY)
    token = ending(6)
    assert send_all() == []
    Token.objects.filter(pk=token.pk).update(expires_at=timezone.now() + timedelta(hours=20))
    assert send_all() == [("engineer", "Ends in 1 day")]


def test_a_member_is_offered_what_concerns_members(
    clients: Callable[[User], Client], engineer: User
) -> None:
    client = clients(engineer)
    assert client.get("/accounts/mails/").content.decode().count('name="topic"') == 1
    UnwantedMail.objects.create(person=engineer, topic=MailTopic.DIGEST)
    client.post("/accounts/mails/", {"topic": ["ends_early", "digest", "no such"]})
    assert topics(engineer) == {"digest"}, "once a lead, as they had chosen it"


def test_mails_of_security_and_those_that_somebody_waits_for_can_t_be_stopped(
    ending: Callable[[float], Token], engineer: User, lead: User
) -> None:
    for topic in MailTopic:
        UnwantedMail.objects.create(person=engineer, topic=topic)
    token = ending(20)
    kinds = [one for one in NoticeKind if not one.startswith("expires_in")]
    with transaction.atomic():
        for kind in kinds:
            notify.tell(kind, token=token, to=[engineer], by=lead.email)
    untrue = {
        *(NoticeKind.ENDS_WITH_NOTICE, NoticeKind.APPROVAL_ASKED, NoticeKind.HANDOVER_ASKED),
    }
    sent = sum(mail(notice.pk) for notice in Notice.objects.all())
    assert sent == len(kinds) - len(untrue)


# -- A digest's button --------------------------------------------------------------------------


def test_a_digest_is_stopped_by_one_click_that_needs_no_sign_in(
    client: Client, lead: User, ending: Callable[[float], Token]
) -> None:
    ending(3)
    row = LeadMail.objects.create(kind=LeadMailKind.DIGEST, recipient=lead, about="2026-W49")
    assert mail_lead(row.pk)
    [sent] = outbox.outbox
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.fullmatch(r"<http://127.0.0.1:8000(/\S+)>", sent.extra_headers["List-Unsubscribe"])
    assert found is not None
    address = found[1]
    assert "Stop these mails?" in client.get(address).content.decode()
    assert topics(lead) == set(), "whoever scans a mail opens its links"
    program = Client(enforce_csrf_checks=True)
    assert program.post(address, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert program.post(address, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert topics(lead) == {"digest"}
    [event] = AuditEvent.objects.filter(action=Action.SETTINGS_CHANGED)
    assert (event.actor, event.subject.endswith("by the button of a mail")) == (lead.email, True)
    again = LeadMail.objects.create(kind=LeadMailKind.DIGEST, recipient=lead, about="2026-W50")
    assert not mail_lead(again.pk)


@pytest.mark.parametrize("said", ["1", "1.digest", "1.digest~x", "~", "é~é", "1.digest:abc"])
def test_what_nobody_signed_stops_nothing(client: Client, lead: User, said: str) -> None:
    assert client.post(f"/accounts/mails/stop/{said}/").status_code == 404
    assert not UnwantedMail.objects.exists()


def test_the_address_of_somebody_who_is_gone_is_none(client: Client, lead: User) -> None:
    address = stop_path(User(pk=lead.pk + 99), MailTopic.DIGEST)
    assert client.get(address).status_code == 404


# -- Days before an end -------------------------------------------------------------------------


def test_a_team_chooses_other_days_and_each_mail_goes_out_once(
    clients: Callable[[User], Client],
    lead: User,
    ending: Callable[[float], Token],
    platform: Team,
) -> None:
    client = clients(lead)
    assert client.post("/team/platform/mails/", {"days": " 3, 14 "}).status_code == 302
    platform.refresh_from_db()
    assert platform.notice_days == "14,3"
    token = ending(13)
    both = [("engineer", "Ends in 14 da"), ("lead", "Ends in 14 da")]
    assert (send_all(), send_all()) == (both, [])
    for days, expected in ((6, "Ends in 14 da"), (2.5, "Ends in 3 day"), (0.5, "Ends in 3 day")):
        Token.objects.filter(pk=token.pk).update(expires_at=timezone.now() + timedelta(days=days))
        found = send_all()
        assert {subject for _, subject in found} <= {expected}
        assert bool(found) == (days == 2.5), "once each, and not on the usual days"
    kinds = Notice.objects.values_list("kind", flat=True)
    assert set(kinds) == {expiry_kind(14), expiry_kind(3)}
    assert AuditEvent.objects.filter(action=Action.TOKEN_EXPIRY_NOTIFIED).count() == 4


@pytest.mark.parametrize("days", ["0", "30", "a week", "1,2,3,4,5,6", "-1", "1.5", "٣"])
def test_what_are_no_days_is_a_mistake_beside_the_field_and_stays_typed(
    clients: Callable[[User], Client], lead: User, platform: Team, days: str
) -> None:
    answer = clients(lead).post("/team/platform/mails/", {"days": days})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert 'id="id_days_error"' in page
    assert f'value="{days}"' in page
    platform.refresh_from_db()
    assert platform.notice_days == ""


def test_a_member_chooses_nothing_for_the_team(
    clients: Callable[[User], Client], engineer: User
) -> None:
    assert clients(engineer).post("/team/platform/mails/", {"days": "3"}).status_code == 403


# -- What admins see ----------------------------------------------------------------------------


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise smtplib.SMTPServerDisconnected("554 your mail said …")

    monkeypatch.setattr(EmailMessage, "send", refuse)


def test_a_server_that_is_away_and_what_waits_for_it_are_shown(
    clients: Callable[[User], Client],
    admin: User,
    engineer: User,
    ending: Callable[[float], Token],
    away: None,
) -> None:
    ending(6)
    for notice_id in sweep().mail:
        mail(notice_id)
    page = words(clients(admin).get("/accounts/mails/sending/").content.decode())
    assert 'data-testid="mail-away"' in page
    assert "about tokens" in page
    assert clients(engineer).get("/accounts/mails/sending/").status_code == 403
    Heartbeat.beat(notify.SENT)
    Heartbeat.objects.filter(kind=notify.NOT_SENT).update(at=timezone.now() - timedelta(hours=1))
    assert "mail-away" not in clients(admin).get("/accounts/mails/sending/").content.decode()


def test_a_mail_that_was_given_up_is_named_and_nothing_that_the_server_said(
    clients: Callable[[User], Client],
    admin: User,
    engineer: User,
    lead: User,
    ending: Callable[[float], Token],
    away: None,
) -> None:
    token = ending(20)
    with transaction.atomic():
        notify.tell(NoticeKind.REVOKED, token=token, to=[engineer], by=lead.email)
        number = notify.tell_person(AccountMailKind.PASSWORD_CHANGED, lead, actor=acting(lead))
    long_ago = timezone.now() - timedelta(days=3, minutes=1)
    notice = Notice.objects.get()
    Notice.objects.update(created_at=long_ago)
    AccountMail.objects.update(created_at=long_ago)
    assert not mail(notice.pk)
    assert not mail_account(number)
    found = list(LostMail.objects.order_by("pk").values_list("kind", "recipient", "about"))
    assert found == [
        ("revoked", engineer.email, token.name),
        ("password_changed", lead.email, ""),
    ]
    page = words(clients(admin).get("/accounts/mails/sending/").content.decode())
    assert "<code>revoked</code>" in page
    assert "SMTPServerDisconnected" in page
    assert "your mail said" not in page
