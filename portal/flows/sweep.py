"""What the scheduler moves by itself, and what it finds for workers (portal.scheduler)."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from portal import life
from portal.life import Effects, moves
from portal.models import AccountMail, Notice, PasswordMail, ServiceAccount, State, Token
from portal.models.error_codes import ErrorCode
from portal.models.queries import BATCH_SIZE, TokenQuerySet

RING_AGAIN_AFTER = timedelta(seconds=30)
MOST_LISTS = 4
QUEUED_FOR_TOO_LONG = timedelta(hours=1)


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


def mails_to_send() -> Effects:
    """Mails that are due and that no worker took, oldest first. Nobody else rings for them.

    At most twice the workers' number at a time: what a person waits for goes between them.
    """
    unheard = Q(rung_at=None) | Q(rung_at__lt=Now() - RING_AGAIN_AFTER)
    due = Notice.objects.filter(unheard).due()
    ids = list(due.values_list("pk", flat=True)[: 2 * settings.WORKER_PROCESSES])
    if ids:
        Notice.objects.filter(pk__in=ids).update(rung_at=Now())
    return Effects(mail=ids)


def password_mails_to_send() -> Effects:
    """Links that are to go out and that no worker took, oldest first; as many as other mails."""
    unheard = Q(rung_at=None) | Q(rung_at__lt=Now() - RING_AGAIN_AFTER)
    due = PasswordMail.objects.filter(unheard).due()
    ids = list(due.values_list("pk", flat=True)[: 2 * settings.WORKER_PROCESSES])
    if ids:
        PasswordMail.objects.filter(pk__in=ids).update(rung_at=Now())
    return Effects(password_mail=ids)


def account_mails_to_send() -> Effects:
    """Mails about people's accounts that no worker took, oldest first; as many as other mails."""
    unheard = Q(rung_at=None) | Q(rung_at__lt=Now() - RING_AGAIN_AFTER)
    due = AccountMail.objects.filter(unheard).due()
    ids = list(due.values_list("pk", flat=True)[: 2 * settings.WORKER_PROCESSES])
    if ids:
        AccountMail.objects.filter(pk__in=ids).update(rung_at=Now())
    return Effects(account_mail=ids)


def accounts_to_prune() -> Effects:
    """Service accounts with tokens whose time is over and that AWS still lists."""
    due = Token.objects.prunable().due().order_by("service_account")
    return Effects(
        prune=list(due.values_list("service_account", flat=True).distinct()[:BATCH_SIZE])
    )


def accounts_to_list() -> Effects:
    """Service accounts whose tokens AMG has not listed for a while.

    Few at a time: what a person waits for goes between them.
    """
    if not settings.INVENTORY_SECONDS:
        return Effects()
    long_ago = Now() - timedelta(seconds=settings.INVENTORY_SECONDS)
    due = ServiceAccount.objects.to_list().filter(
        Q(list_asked_at=None) | Q(list_asked_at__lt=long_ago)
    )
    ids = list(due.order_by("list_asked_at", "pk").values_list("pk", flat=True)[:MOST_LISTS])
    if ids:
        ServiceAccount.objects.filter(pk__in=ids).update(list_asked_at=Now())
    return Effects(inventory=ids)


def requests_to_issue() -> Effects:
    """Queued requests that no worker took."""
    return Effects(issue=_not_taken(Token.objects.filter(state=State.QUEUED)))


def tokens_to_delete() -> Effects:
    """Revoked tokens that AWS has not deleted, and that no worker took."""
    return Effects(revoke=_not_taken(Token.objects.filter(state=State.REVOKING)))


def tokens_to_settle() -> Effects:
    """Tokens of which a request that has ended may have left one at AWS."""
    return Effects(settle=_not_taken(Token.objects.unsettled()))


def _not_taken(tokens: TokenQuerySet) -> list[uuid.UUID]:
    """Those of the rows that are due and that nobody took, oldest first.

    At most twice the workers' number at a time: a broker that comes back is not flooded.
    """
    unheard = Q(rung_at=None) | Q(rung_at__lt=Now() - RING_AGAIN_AFTER)
    due = tokens.filter(unheard).due().order_by("queued_at")
    ids = list(due.values_list("pk", flat=True)[: 2 * settings.WORKER_PROCESSES])
    if ids:
        Token.objects.filter(pk__in=ids).update(rung_at=Now())
    return ids
