"""How far somebody has used up a limit, and when they may again."""

import ipaddress
import math
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, QuerySet, Value
from django.db.models.functions import Greatest, Now
from django.utils.crypto import salted_hmac

from portal import display
from portal.limits.table import REQUESTS, Limit
from portal.models import LimitUse, Token, User
from portal.models.prepared import Prepared, PreparedUpdate

HOUR = timedelta(hours=1)
IPV6_NETWORK = 64
"""Bits of an IPv6 address that tell one customer of a provider from another (RFC 6177)."""


class LimitExceededError(Exception):
    """Somebody has used up a limit; the message says when they may again, for people."""

    def __init__(
        self,
        limit: Limit,
        subject: str,
        *,
        now: datetime,
        retry_at: datetime,
        person: User | None = None,
        address: str | None = None,
    ) -> None:
        self.limit = limit
        self.subject = subject
        self.person = person
        self.address = address
        self.seconds = max(1, math.ceil((retry_at - now).total_seconds()))
        self.retry_at = retry_at.astimezone(UTC)
        super().__init__(f"{limit.says} Try again {self.when}.")

    @property
    def when(self) -> str:
        """``in 40 seconds, at 12:00:40 UTC``."""
        count, unit = (self.seconds, "second")
        if self.seconds > 120:
            count, unit = (math.ceil(self.seconds / 60), "minute")
        plural = "" if count == 1 else "s"
        return f"in {count} {unit}{plural}, at {display.clock(self.retry_at, seconds=True)}"


def take(
    limit: Limit, subject: str, *, person: User | None = None, address: str | None = None
) -> None:
    """Use ``limit`` once; raises LimitExceededError where it is used up.

    ``subject`` is whose use it is: it is kept as a keyed hash alone. ``person`` and ``address`` are
    what the audit log may name.
    """
    _use(limit, subject, person=person, address=address)


def add(limit: Limit, subject: str, *, address: str | None = None) -> None:
    """Count one use that has happened, whatever the limit says."""
    _use(limit, subject, address=address, refuses=False)


def check(
    limit: Limit, subject: str, *, person: User | None = None, address: str | None = None
) -> None:
    """Raise LimitExceededError where ``limit`` is used up; counts nothing."""
    if not settings.RATE_LIMITS:
        return
    blocked = _BLOCKED.one(limit.name, hashed(limit, subject))
    if blocked is not None:
        retry_at, now = blocked
        raise LimitExceededError(
            limit,
            subject,
            now=now,
            retry_at=retry_at,
            person=person,
            address=address,
        )


def count_refusal(limit: Limit, subject: str) -> bool:
    """Count one more refusal for the audit log; False where the log was not told of the first."""
    return _COUNT_REFUSAL(limit.name, hashed(limit, subject)) == 1


def give_back(limit: Limit, subject: str) -> None:
    """Take one use back: what was to be limited did not happen."""
    rows(limit, subject).update(level=Greatest(F("level") - 1.0, 0.0), blocked_until=None)


def check_requests(person: User) -> None:
    """Raise LimitExceededError where this person has asked for PORTAL_REQUESTS_PER_HOUR tokens.

    Tokens that others asked for in their place are not theirs. Needs a transaction: when few are
    left, the person's row is locked, so that requests of the same moment count each other.
    """
    most: int = settings.REQUESTS_PER_HOUR
    if not settings.RATE_LIMITS:
        return
    asked = _asked(person)
    if asked >= most / 2:
        User.objects.select_for_update(no_key=True).get(pk=person.pk)
        asked = _asked(person)
    if asked < most:
        return
    recent = Token.objects.filter(owner=person, asked_by="").annotate(now=Now())
    oldest = recent.order_by("-created_at")[most - 1]
    raise LimitExceededError(
        REQUESTS,
        str(person.pk),
        now=oldest.now,  # type: ignore[attr-defined]  # annotated
        retry_at=oldest.created_at + HOUR,
        person=person,
    )


def network(address: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 network that one customer gets."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))


def hashed(limit: Limit, subject: str) -> str:
    """How a subject stands in its row."""
    return salted_hmac(f"portal.limits.{limit.name}", subject, algorithm="sha256").hexdigest()


def rows(limit: Limit, subject: str) -> QuerySet[LimitUse]:
    """The subject's row, if there is one."""
    return LimitUse.objects.filter(limit=limit.name, subject=hashed(limit, subject))


def row_of(
    limit: Limit, subject: str, *, person: User | None = None, address: str | None = None
) -> LimitUse:
    """The subject's row, locked until the transaction ends, made if there was none.

    Its ``now`` is the database's clock.
    """
    for _ in range(3):  # whoever clears away what is old may take a row that was just found
        row = rows(limit, subject).select_for_update(no_key=True).annotate(now=Now()).first()
        if row is not None:
            return row
        new = LimitUse(
            limit=limit.name,
            subject=hashed(limit, subject),
            level_at=Now(),
            person=person,
            address=(address or "") if settings.AUDIT_ADDRESSES else "",
        )
        LimitUse.objects.bulk_create([new], ignore_conflicts=True)
    raise LimitUse.DoesNotExist


def _use(
    limit: Limit,
    subject: str,
    *,
    person: User | None = None,
    address: str | None = None,
    refuses: bool = True,
) -> None:
    if not settings.RATE_LIMITS:
        return
    with transaction.atomic():
        row = row_of(limit, subject, person=person, address=address)
        now: datetime = row.now  # type: ignore[attr-defined]  # annotated by row_of
        if refuses and row.blocked_until is not None and row.blocked_until > now:
            raise LimitExceededError(
                limit,
                subject,
                now=now,
                retry_at=row.blocked_until,
                person=person,
                address=address,
            )
        since = max(0.0, (now - row.level_at).total_seconds())
        row.level = max(0.0, row.level - since / limit.seconds) + 1.0
        row.level_at = now
        pause = limit.pause(row.level)
        row.blocked_until = now + timedelta(seconds=pause) if pause else None
        row.save(update_fields=["level", "level_at", "blocked_until"])


# A flood of refused tries costs these two.
_BLOCKED = Prepared(
    lambda name, subject: (
        LimitUse.objects.filter(limit=name, subject=subject, blocked_until__gt=Now())
        .annotate(until=F("blocked_until"), now=Now())
        .values_list("until", "now")
    ),
    like=["-", "--"],
)
_COUNT_REFUSAL = PreparedUpdate(
    lambda name, subject: LimitUse.objects.filter(limit=name, subject=subject).exclude(
        told_at=None
    ),
    to=lambda *_: {"refused": F("refused") + 1},
    like=["-", "--"],
)

_ASKED = Prepared(
    lambda owner_id: (
        Token.objects.filter(owner=owner_id, created_at__gt=Now() - HOUR, asked_by="")
        .order_by()
        .values(all=Value(1))  # one group of all: ``count`` would ask at once
        .annotate(asked=Count("pk"))
        .values_list("asked")
    ),
    like=[-1],
)


def _asked(person: User) -> int:
    """How many tokens the person has asked for within the last hour."""
    counted = _ASKED.one(person.pk)
    return counted[0] if counted else 0
