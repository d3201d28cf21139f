"""Moves whatever nobody else has moved. Runs every few seconds, on any number of hosts at once.

Each job reads before it writes, and every write is conditional on the state it read: two sweeps at
once do nothing twice.
"""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from portal import audit, notify
from portal.audit import SYSTEM
from portal.flows import calendar
from portal.flows.end_access import end_access
from portal.flows.end_sessions import end_sessions
from portal.flows.refuse import forget_old_uses, record_counted_refusals
from portal.flows.sign_in import record_counted_failures
from portal.models import (
    Action,
    Notice,
    NoticeKind,
    Outcome,
    PasswordMail,
    ServiceAccount,
    State,
    Token,
)
from portal.models.queries import AT_A_TIME, TokenQuerySet

RING_AGAIN_AFTER = timedelta(seconds=30)
LISTS_AT_A_TIME = 4
QUEUED_FOR_TOO_LONG = timedelta(hours=1)

NOBODY_TOOK_IT = "QueuedTooLong"


@dataclass(slots=True)
class Swept:
    """What a sweep asks its caller to do: enqueue these, and wake who waits for those."""

    issue: list[uuid.UUID] = field(default_factory=list)
    revoke: list[uuid.UUID] = field(default_factory=list)
    settle: list[uuid.UUID] = field(default_factory=list)
    prune: list[int] = field(default_factory=list)
    mail: list[int] = field(default_factory=list)
    password_mail: list[int] = field(default_factory=list)
    inventory: list[int] = field(default_factory=list)
    changed: list[uuid.UUID] = field(default_factory=list)


def sweep() -> Swept:
    """Do everything that is due, once."""
    swept = Swept()
    swept.changed += release_expired_leases()
    swept.changed += fail_those_queued_too_long()
    end_sessions()
    swept.changed += end_access().changed
    swept.changed += revoke_unclaimed()
    swept.changed += end_expired()
    swept.changed += end_revocations_that_time_overtook()
    swept.changed += calendar.give_up_waiting()
    swept.changed += calendar.end_overlaps()
    calendar.warn_of_ends()
    swept.issue = ring_again(Token.objects.filter(state=State.QUEUED))
    swept.revoke = ring_again(Token.objects.filter(state=State.REVOKING))
    swept.settle = ring_again(Token.objects.unsettled())
    swept.prune = accounts_to_prune()
    swept.mail = mails_to_send()
    swept.password_mail = password_mails_to_send()
    swept.inventory = accounts_to_list()
    record_counted_failures()
    record_counted_refusals()
    forget_old_uses()
    return swept


def release_expired_leases() -> list[uuid.UUID]:
    """Put back what a dead worker held; the next attempt finds it unresolved and reconciles."""
    return Token.objects.change_each(
        Q(state=State.ISSUING, lease_until__lt=Now()),
        lambda token: token.move_to(
            State.CANCELLED if token.cancel_requested else State.QUEUED,
            lease_until=None,
            not_before=None,
            rung_at=None,
        ),
    )


def fail_those_queued_too_long() -> list[uuid.UUID]:
    """Give up on requests that waited for an hour, whatever they waited for."""

    def fail(token: Token) -> None:
        code = token.error_code or NOBODY_TOOK_IT
        token.move_to(State.FAILED, not_before=None, error_code=code)
        audit.record(
            Action.TOKEN_FAILED,
            actor=SYSTEM,
            outcome=Outcome.FAILED,
            token=token,
            error_code=code,
            reason=token.error_message,
        )

    return Token.objects.change_each(
        Q(state=State.QUEUED, queued_at__lt=Now() - QUEUED_FOR_TOO_LONG), fail
    )


def revoke_unclaimed() -> list[uuid.UUID]:
    """Wipe and revoke keys that no browser confirmed in time."""

    def revoke(token: Token) -> None:
        token.move_to(
            State.REVOKING,
            sealed_key=None,
            not_before=None,
            rung_at=None,
            ended_by=SYSTEM.label,
            end_reason="Nobody fetched the key in time.",
        )
        notify.tell(NoticeKind.UNCLAIMED, token=token, to=[token.owner])
        audit.record(Action.TOKEN_UNCLAIMED, actor=SYSTEM, token=token)

    waited = Q(sealed_at__lt=Now() - timedelta(seconds=settings.UNCLAIMED_SECONDS))
    return Token.objects.change_each(
        Q(waited | Q(expires_at__lt=Now()), state=State.SEALED), revoke
    )


def end_expired() -> list[uuid.UUID]:
    """Mark active tokens whose time is over."""

    def expire(token: Token) -> None:
        token.move_to(State.EXPIRED)
        audit.record(Action.TOKEN_EXPIRED, actor=SYSTEM, token=token)

    return Token.objects.change_each(Q(state=State.ACTIVE, expires_at__lt=Now()), expire)


def end_revocations_that_time_overtook() -> list[uuid.UUID]:
    """A token that AWS would not delete, and whose time is over, counts as revoked.

    It is pruned like any other whose time is over.
    """

    def end(token: Token) -> None:
        token.move_to(State.REVOKED, not_before=None)
        audit.record(
            Action.TOKEN_REVOKED,
            actor=SYSTEM,
            token=token,
            error_code=token.error_code,
            reason="Its time was over before AWS deleted it.",
        )

    return Token.objects.change_each(
        Q(state=State.REVOKING, expires_at__lt=Now()) & ~Q(error_code=""), end
    )


def mails_to_send() -> list[int]:
    """Mails that are due and that no worker took, oldest first. Nobody else rings for them.

    At most twice the workers' number at a time: what a person waits for goes between them.
    """
    unheard = Q(rung_at=None) | Q(rung_at__lt=Now() - RING_AGAIN_AFTER)
    due = Notice.objects.filter(unheard).due()
    ids = list(due.values_list("pk", flat=True)[: 2 * settings.WORKER_PROCESSES])
    if ids:
        Notice.objects.filter(pk__in=ids).update(rung_at=Now())
    return ids


def password_mails_to_send() -> list[int]:
    """Links that are to go out and that no worker took, oldest first; as many as other mails."""
    unheard = Q(rung_at=None) | Q(rung_at__lt=Now() - RING_AGAIN_AFTER)
    due = PasswordMail.objects.filter(unheard).due()
    ids = list(due.values_list("pk", flat=True)[: 2 * settings.WORKER_PROCESSES])
    if ids:
        PasswordMail.objects.filter(pk__in=ids).update(rung_at=Now())
    return ids


def accounts_to_prune() -> list[int]:
    """Service accounts with tokens whose time is over and that AWS still lists."""
    due = Token.objects.prunable().due().order_by("service_account")
    return list(due.values_list("service_account", flat=True).distinct()[:AT_A_TIME])


def accounts_to_list() -> list[int]:
    """Service accounts whose tokens AMG has not listed for a while.

    Few at a time: what a person waits for goes between them.
    """
    if not settings.INVENTORY_SECONDS:
        return []
    long_ago = Now() - timedelta(seconds=settings.INVENTORY_SECONDS)
    due = ServiceAccount.objects.to_list().filter(
        Q(list_asked_at=None) | Q(list_asked_at__lt=long_ago)
    )
    ids = list(due.order_by("list_asked_at", "pk").values_list("pk", flat=True)[:LISTS_AT_A_TIME])
    if ids:
        ServiceAccount.objects.filter(pk__in=ids).update(list_asked_at=Now())
    return ids


def ring_again(tokens: TokenQuerySet) -> list[uuid.UUID]:
    """Those of the rows that are due and that nobody took, oldest first.

    At most twice the workers' number at a time: a broker that comes back is not flooded.
    """
    unheard = Q(rung_at=None) | Q(rung_at__lt=Now() - RING_AGAIN_AFTER)
    due = tokens.filter(unheard).due().order_by("queued_at")
    ids = list(due.values_list("pk", flat=True)[: 2 * settings.WORKER_PROCESSES])
    if ids:
        Token.objects.filter(pk__in=ids).update(rung_at=Now())
    return ids
