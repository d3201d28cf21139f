"""Moves whatever nobody else has moved. Runs every few seconds, on any number of hosts at once.

Each job reads before it writes, and every write is conditional on the state it read: two sweeps at
once do nothing twice.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from operator import attrgetter

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from portal import clock, life
from portal.clock import Verdict
from portal.flows import deadlines
from portal.flows.end_access import end_access
from portal.flows.end_sessions import end_sessions
from portal.flows.note_recipients import note_recipients
from portal.flows.refuse import forget_old_uses, record_counted_refusals
from portal.flows.sign_in import record_counted_failures
from portal.life import Effects, moves
from portal.models import Notice, PasswordMail, ServiceAccount, State, Token
from portal.models.error_codes import ErrorCode
from portal.models.queries import AT_A_TIME, TokenQuerySet

RING_AGAIN_AFTER = timedelta(seconds=30)
LISTS_AT_A_TIME = 4
QUEUED_FOR_TOO_LONG = timedelta(hours=1)


def sweep() -> Effects:
    """Do everything that is due, once."""
    effects = Effects()
    end_sessions()
    ends = clock.verdict()
    for job, may_run in MOVING:
        if may_run(ends):
            effects += job()
    effects.issue += ring_again(Token.objects.filter(state=State.QUEUED))
    effects.revoke += ring_again(Token.objects.filter(state=State.REVOKING))
    effects.settle = ring_again(Token.objects.unsettled())
    effects.prune = accounts_to_prune()
    effects.mail = mails_to_send()
    effects.password_mail = password_mails_to_send()
    effects.inventory = accounts_to_list()
    record_counted_failures()
    record_counted_refusals()
    forget_old_uses()
    return effects


def release_expired_leases() -> Effects:
    """Put back what a dead worker held; the next attempt finds it unresolved and reconciles."""
    return life.work_on_each(
        Token.objects.all(),
        Q(state=State.ISSUING, lease_until__lt=Now()),
        lambda work, token: work.move(token, moves.REQUEUE, not_before=None),
    )


def fail_those_queued_too_long() -> Effects:
    """Give up on requests that waited for an hour, whatever they waited for."""
    return life.work_on_each(
        Token.objects.all(),
        Q(state=State.QUEUED, queued_at__lt=Now() - QUEUED_FOR_TOO_LONG),
        lambda work, token: work.move(
            token,
            moves.FAIL,
            error_code=token.error_code or ErrorCode.QUEUED_TOO_LONG,
            error_message=token.error_message,
        ),
    )


def revoke_unclaimed() -> Effects:
    """Wipe and revoke keys that no browser confirmed in time."""
    why = "Nobody fetched the key in time."
    waited = Q(sealed_at__lt=Now() - timedelta(seconds=settings.UNCLAIMED_SECONDS))
    return life.work_on_each(
        Token.objects.all(),
        Q(waited | Q(expires_at__lt=Now()), state=State.SEALED),
        lambda work, token: work.move(token, moves.GIVE_UP_UNCLAIMED, reason=why),
    )


def end_expired() -> Effects:
    """Mark active tokens whose time is over."""
    return life.work_on_each(
        Token.objects.all(),
        Q(state=State.ACTIVE, expires_at__lt=Now()),
        lambda work, token: work.move(token, moves.EXPIRE),
    )


def end_revocations_that_time_overtook() -> Effects:
    """A token that AWS would not delete, and whose time is over, counts as revoked.

    It is pruned like any other whose time is over.
    """
    why = "Its time was over before AWS deleted it."
    return life.work_on_each(
        Token.objects.all(),
        Q(state=State.REVOKING, expires_at__lt=Now()) & ~Q(error_code=""),
        lambda work, token: work.move(token, moves.OUTLIVE, reason=why),
    )


def _always(_: Verdict) -> bool:
    return True


_TOKENS, _KEYS, _REQUESTS = (
    attrgetter(name) for name in ("may_end_tokens", "may_end_keys", "may_end_requests")
)
MOVING: tuple[tuple[Callable[[], Effects], Callable[[Verdict], bool]], ...] = (
    (release_expired_leases, _always),
    (fail_those_queued_too_long, _REQUESTS),
    (end_access, _always),
    (revoke_unclaimed, _KEYS),
    (end_expired, _TOKENS),
    (end_revocations_that_time_overtook, _TOKENS),
    (deadlines.give_up_waiting, _REQUESTS),
    (deadlines.end_overlaps, _TOKENS),
    (deadlines.warn_of_ends, _TOKENS),
    (note_recipients, _always),
)
"""What the sweep moves by itself, in this order, and what the database's clock must be good for."""


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
