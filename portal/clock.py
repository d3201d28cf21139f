"""Whether our clocks go by AWS's, by which the tokens' lives begin and end.

A clock that is more than a minute from AWS's ends no life (docs/decisions/0024). What counts is the
database's, because everything that the rows wait for is compared with it: with SQLite that is each
process's own, with PostgreSQL the server's. A process that has heard AWS holds the database's clock
against what it heard, each time it asks; what it found is kept for those who hear nothing.
"""

import enum
import logging
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from portal.grafana import heard
from portal.grafana.heard import WHOLE_SECOND, steady
from portal.incidents import Incident
from portal.models import (
    AccountMail,
    Clock,
    Heartbeat,
    Notice,
    PasswordMail,
    ServiceAccount,
    Token,
)

TOLERANCE = timedelta(minutes=1)
COUNTS_FOR = 86_400.0
"""Seconds for which an answer of AWS tells the time. A crystal that keeps time badly is off by 10 s
after a day."""
NOTED_EVERY = 15.0
"""Seconds between two looks of a process at its clocks, at least."""
KEPT_EVERY = timedelta(minutes=5)
"""How often it is written down that nothing has changed."""
FORGOTTEN_AFTER = timedelta(hours=1)
"""A host that has not been heard of for longer is no trouble any more."""
REST = timedelta(hours=1)
"""How long nothing ends by its age once the database's clock, which was behind, is right again: as
long as the longest of what is counted in minutes."""

log = logging.getLogger(__name__)
_incident = Incident("clock", quiet=900.0)


class ClockIsOffError(Exception):
    """What the log says of a clock that is off."""


class Standing(enum.Enum):
    """What is known of the database's clock."""

    AGREES = "agrees"
    OFF = "off"
    UNKNOWN = "unknown"
    """AWS was not heard yet, or not for a day, and was last agreed with."""


@dataclass(frozen=True, slots=True)
class Reading:
    """By how much a clock is ahead of AWS's: something between these two."""

    least: timedelta
    most: timedelta

    @property
    def ahead(self) -> float:
        """Seconds, in the middle of what it can be."""
        return (self.least + self.most).total_seconds() / 2

    @property
    def is_off(self) -> bool:
        """Whether it is certainly further from AWS's than it may be."""
        return self.least > TOLERANCE or self.most < -TOLERANCE


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may end by the database's clock now."""

    standing: Standing
    rests: bool = False
    """It was behind until lately, so that what is old by it may be young."""

    @property
    def may_end_tokens(self) -> bool:
        """Whether tokens end whose time is over: AWS's own time says so."""
        return self.standing is Standing.AGREES

    @property
    def may_end_keys(self) -> bool:
        """Whether sealed keys end that nobody came for: that counts from our own clock, too."""
        return self.may_end_tokens and not self.rests

    @property
    def may_end_requests(self) -> bool:
        """Whether requests end of which nothing exists at AWS: without AWS our clock is enough."""
        return self.standing is not Standing.OFF and not self.rests


class _Noted:
    """When this process last looked at its clocks, and what it then wrote down."""

    at = float("-inf")


def verdict() -> Verdict:
    """What the database's clock may end now. Asks the database twice."""
    row = Clock.objects.filter(pk=Clock.DATABASE).first()
    reading, now = _of_database()
    if reading is not None:
        standing = Standing.OFF if reading.is_off else Standing.AGREES
    elif row is not None and row.off_since is not None:
        standing = Standing.OFF
    else:
        standing = Standing.AGREES if heard.tells_no_time() else Standing.UNKNOWN
    rests = row is not None and row.rests_until is not None and row.rests_until > now
    return Verdict(standing, rests)


def is_off() -> bool:
    """Whether the database's clock is known to be off."""
    return verdict().standing is Standing.OFF


def ahead() -> timedelta:
    """How far the database's clock was ahead of AWS's when that was last seen; 0 while it agrees.

    For whoever writes down an end, and calls nobody.
    """
    row = Clock.objects.filter(pk=Clock.DATABASE).exclude(off_since=None).first()
    return timedelta(seconds=row.ahead) if row is not None else timedelta(0)


def needs_an_answer() -> bool:
    """Whether AWS had better be asked now: it was not heard, or its time is not the database's."""
    reading, _ = _of_database()
    return reading is None or reading.is_off


def note() -> None:
    """Look at the clocks of database and process, if AWS was heard and the last look is not new.

    Writes only what has changed, or every few minutes. Called when a piece of work is done.
    """
    if steady() - _Noted.at < NOTED_EVERY or heard.last() is None:
        return
    _Noted.at = steady()
    try:
        database, now = _of_database()
        own = _against_aws(timezone.now())
        if database is None or own is None:
            return
        off = [
            _in_words(whose, reading.ahead)
            for whose, reading in ((Clock.DATABASE, database), (_host(), own))
            if _keep(whose, reading, now)
        ]
    except DatabaseError as error:
        log.warning("clock.not_noted", extra={"error": type(error).__name__})
        return
    if off:
        _incident.note(ClockIsOffError("; ".join(off)))
    else:
        _incident.over()


def findings() -> list[str]:
    """Which clocks are off and by how much, a sentence each; this process's own included."""
    now = Token.objects.database_now()
    own = timezone.now() - now
    found = []
    for row in Clock.objects.order_by("whose"):
        if row.whose == Clock.DATABASE:
            own += timedelta(seconds=row.ahead)
        elif row.at < now - FORGOTTEN_AFTER or row.whose == _host():
            continue
        if row.off_since is not None:
            found.append(_in_words(row.whose, row.ahead))
    # The database's answer to this question may be a second old, in whole seconds.
    if abs(own) > TOLERANCE + WHOLE_SECOND:
        found.append(_in_words(_host(), own.total_seconds()))
    return found


def _against_aws(moment: datetime, *, asked: float | None = None) -> Reading | None:
    """How a clock that shows ``moment`` now, or did since ``asked``, stands to AWS's; None where
    that was not heard."""
    last, now = heard.last(), steady()
    if last is None or now - last.received > COUNTS_FOR:
        return None
    return Reading(
        moment - last.latest(now), moment - last.earliest(now if asked is None else asked)
    )


def _of_database() -> tuple[Reading | None, datetime]:
    """The database's clock against AWS's, and what it shows; SQLite's leaves out fractions."""
    asked = steady()
    moment = Token.objects.database_now()
    reading = _against_aws(moment, asked=asked)
    if reading is not None:
        reading = Reading(reading.least, reading.most + WHOLE_SECOND)
    return reading, moment


def _keep(whose: str, reading: Reading, now: datetime) -> bool:
    """Whether the clock is off; written down where that is new, or was for long not said."""
    row = Clock.objects.filter(pk=whose).first()
    was_off = row is not None and row.off_since is not None
    if row is None or was_off != reading.is_off or not now - KEPT_EVERY < row.at <= now:
        was_behind = row is not None and was_off and row.ahead < 0
        values = {"ahead": reading.ahead, "at": now}
        if reading.is_off:
            since = row.off_since if row is not None else None
            values |= {"off_since": since or now, "rests_until": None}
        else:
            values |= {"off_since": None} | ({"rests_until": now + REST} if was_behind else {})
        # What follows stands with what is written, or is done again by the next look.
        with transaction.atomic():
            if row is not None and was_off and not reading.is_off:
                if whose == Clock.DATABASE:
                    _correct_attempts(row)
                if row.ahead > 0:
                    _let_nobody_wait_for_what_was_ahead(now)
            Clock.objects.update_or_create(pk=whose, defaults=values)
    return reading.is_off


def _correct_attempts(row: Clock) -> None:
    """Set right what attempts of unknown outcome were stamped with while the clock was off.

    By the right clock a begin that was stamped by one that was ahead lies after what the attempt
    has left at AWS, which would then be nobody's (portal.flows.recover.orphans_in). A signature
    that was stamped by one that was behind seems to be over while AWS still takes it.

    In the transaction of whoever writes down that the clock is right.
    """
    # Once, though several processes may see it at the same moment.
    if row.off_since is None or not (
        Clock.objects.filter(pk=row.pk, off_since=row.off_since).update(off_since=None)
    ):
        return
    by_that_clock = row.off_since - TOLERANCE  # it was off for a moment before that was seen
    ahead = timedelta(seconds=row.ahead)
    attempts = Token.objects.filter(unresolved_since__isnull=False)
    if row.ahead > 0:
        attempts.filter(unresolved_since__gte=by_that_clock).update(
            unresolved_since=F("unresolved_since") - ahead
        )
    else:
        attempts.filter(last_signature_at__gte=by_that_clock).update(
            last_signature_at=F("last_signature_at") - ahead
        )


def _let_nobody_wait_for_what_was_ahead(now: datetime) -> None:
    """Forget pauses that were stamped by a clock that was ahead: by the right one, they last hours.

    With them go some that are meant: whoever is asked too early answers so.
    """
    for model in (Token, Notice, PasswordMail, AccountMail):
        rows = model._default_manager
        rows.filter(not_before__gt=now).update(not_before=None)
        rows.filter(rung_at__gt=now).update(rung_at=None)
    Token.objects.filter(lease_until__gt=now + TOLERANCE).update(lease_until=now + TOLERANCE)
    Token.objects.filter(waits_since__gt=now).update(waits_since=now)
    ServiceAccount.objects.filter(list_asked_at__gt=now).update(list_asked_at=None)
    Heartbeat.objects.filter(at__gt=now).update(at=now)


def _in_words(whose: str, ahead: float) -> str:
    clock = "The database's clock" if whose == Clock.DATABASE else f"The clock of host {whose}"
    span = timedelta(seconds=round(abs(ahead)))
    return f"{clock} is {span} {'ahead of' if ahead > 0 else 'behind'} AWS's"


def _host() -> str:
    return socket.gethostname()[:80]
