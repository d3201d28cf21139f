"""Ninety days of mails: two schedulers, workers that die, messages that are lost and come twice, a
mail server that is away for a day. Each mail goes out exactly once, and none late beyond that.
"""

import itertools
import random
import smtplib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db.models.functions import Now
from django.utils import timezone

from portal.audit import keys
from portal.audit.database import verify_database
from portal.flows import deadlines, sweep
from portal.flows.mail import mail
from portal.flows.mail_lead import mail_lead
from portal.flows.write_digests import write_digests
from portal.life import Effects
from portal.models import (
    Action,
    AuditEvent,
    LeadMail,
    LostMail,
    Notice,
    State,
    Token,
    User,
)
from portal.models.prepared import Prepared, PreparedUpdate
from portal.models.queries import TokenManager
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

BEGIN = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)
STEP = timedelta(hours=8)
DAYS = 90
AWAY = (BEGIN + timedelta(days=44, hours=18), BEGIN + timedelta(days=45, hours=18))
"""A Monday, with its digest, and a warning of 7 days before."""
LATEST = timedelta(hours=44)
"""After its hour: the server's day away, the pause between two tries, and two steps that were lost
with a message or a worker."""
JOBS: list[Callable[[], object]] = [
    sweep.end_expired,
    deadlines.warn_of_ends,
    write_digests,
    sweep.mails_to_send,
    sweep.lead_mails_to_send,
]


class Killed(BaseException):
    """The worker's process ends."""


@dataclass
class World:
    """The time, and what the mail server has taken."""

    now: datetime = BEGIN
    taken: list[tuple[datetime, str, str]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(90))

    def send(self, message: EmailMessage) -> int:
        if AWAY[0] <= self.now < AWAY[1]:
            raise smtplib.SMTPServerDisconnected
        if self.chance.random() < 0.05:
            raise Killed
        self.taken.append((self.now, message.to[0], str(message.subject)))
        return 1


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    def as_sql(self: Now, compiler: Any, connection: Any, **_: Any) -> Any:
        value = connection.ops.adapt_datetimefield_value(world.now)
        if connection.vendor == "sqlite":
            return "%s", [str(value)]
        return "%s::timestamptz", [value]

    monkeypatch.setattr(Now, "as_sqlite", as_sql, raising=False)
    monkeypatch.setattr(Now, "as_postgresql", as_sql, raising=False)
    # SQL that is made once would keep the time of its making, in the tests that come after, too.
    monkeypatch.setattr(Prepared, "__call__", lambda self, *keys: list(self.ask(*keys)))
    monkeypatch.setattr(
        PreparedUpdate, "__call__", lambda self, *keys: self.ask(*keys).update(**self.to(*keys))
    )
    monkeypatch.setattr(timezone, "now", lambda: world.now)
    monkeypatch.setattr(TokenManager, "database_now", lambda _: world.now)
    monkeypatch.setattr(EmailMessage, "send", lambda message, **_: world.send(message))
    return world


def turn(world: World) -> None:
    """Both schedulers run the table; workers take up what they were told, often twice, in any
    order; some messages are lost, and some workers die."""
    told = Effects()
    for job in JOBS:
        for _ in "two schedulers":
            done = job()
            if isinstance(done, Effects):
                told += done
            break_after = world.chance.random() < 0.02
            if break_after:
                break  # a scheduler is restarted in the midst of its table
    for model in (Notice, LeadMail):
        # What a row is given by its column's default is of the database's own clock.
        rows: Any = model._default_manager
        rows.exclude(created_at__gte=BEGIN, created_at__lte=world.now).update(created_at=world.now)
    messages = [
        *((mail, pk) for pk in told.mail * 2),
        *((mail_lead, pk) for pk in told.lead_mail * 2),
    ]
    world.chance.shuffle(messages)
    for work, pk in messages:
        if world.chance.random() < 0.1:
            continue
        try:
            work(pk)
        except Killed:
            continue


@pytest.fixture
def tokens(
    world: World, catalog: Catalog, engineer: User, make_token: Callable[..., Token]
) -> list[Token]:
    """Each of thirty days, that begin one after another."""
    made = []
    for number, day in enumerate((*range(0, 60, 5), 22)):
        begins = BEGIN + timedelta(days=day)
        token = make_token(
            engineer,
            name=f"t-{number}",
            state=State.ACTIVE,
            seconds_to_live=30 * 86_400,
            issued_at=begins,
            delivered_at=begins,
            aws_token_id=str(1000 + number),
            expires_at=begins + timedelta(days=30),
        )
        made.append(token)
    return made


def test_each_mail_goes_out_exactly_once_over_ninety_days(
    world: World, tokens: list[Token], engineer: User, lead: User
) -> None:
    # Seven in the morning is noon in UTC there.
    User.objects.filter(pk=lead.pk).update(time_zone="America/New_York")
    while world.now < BEGIN + timedelta(days=DAYS):
        turn(world)
        world.now += STEP

    sent = Counter((to, subject) for _, to, subject in world.taken)
    digests = {one for one in sent if one[1].startswith("Your week")}
    assert {sent[one] for one in set(sent) - digests} == {1}, "nothing twice"
    warnings = {
        (person.email, f"Ends in {days}: {token.name}{of}")
        for token, days in itertools.product(tokens, ("7 days", "1 day"))
        for person, of in ((engineer, ""), (lead, f" of {engineer.email}"))
    }
    assert set(sent) - digests == warnings, "and nothing too few"
    assert not LostMail.objects.exists()

    at = {(to, subject): moment for moment, to, subject in world.taken}
    for token in tokens:
        for days, name in ((7, "7 days"), (1, "1 day")):
            assert token.expires_at is not None
            due = token.expires_at - timedelta(days=days)
            late = at[(engineer.email, f"Ends in {name}: {token.name}")] - due
            assert timedelta(0) <= late <= LATEST

    events = AuditEvent.objects.filter(action=Action.TOKEN_EXPIRY_NOTIFIED)
    assert events.count() == len(warnings)
    verify_database(keys.every(), {})

    mondays = [moment for moment, _, subject in world.taken if subject.startswith("Your week")]
    weeks = Counter(moment.isocalendar()[:2] for moment in mondays)
    assert set(weeks.values()) == {1}
    assert len(weeks) == LeadMail.objects.filter(sent_at__isnull=False).count() == 12
    for moment in mondays:
        seven = (moment - timedelta(days=moment.weekday())).replace(hour=12, minute=0)
        assert timedelta(0) <= moment - seven <= LATEST
