"""What the scheduler moves by itself, and what it finds for workers (portal.scheduler)."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from portal import life
from portal.life import Effects, moves
from portal.models import (
    AccountMail,
    LeadMail,
    ListedToken,
    Notice,
    PasswordMail,
    State,
    Token,
    Webhook,
)
from portal.models.error_codes import ErrorCode
from portal.models.queries import BATCH_SIZE

RING_AGAIN_AFTER = timedelta(seconds=30)
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
    """Mails that are due. Nobody else rings for them, and what people wait for goes between."""
    return Effects(mail=_not_taken(Notice.objects.all()))


def password_mails_to_send() -> Effects:
    """Links that are to go out."""
    return Effects(password_mail=_not_taken(PasswordMail.objects.all()))


def account_mails_to_send() -> Effects:
    """Mails about people's accounts."""
    return Effects(account_mail=_not_taken(AccountMail.objects.all()))


def lead_mails_to_send() -> Effects:
    """Mails to leads about no single token."""
    return Effects(lead_mail=_not_taken(LeadMail.objects.all()))


def accounts_to_prune() -> Effects:
    """Service accounts with tokens whose time is over and that AWS still lists."""
    return Effects(prune=_accounts_of(Token.objects.prunable().due()))


def accounts_with_foreign_tokens_to_prune() -> Effects:
    """The same of tokens that nobody here issued, in workspaces where an admin permits it."""
    return Effects(prune=_accounts_of(ListedToken.objects.to_prune().due()))


def _accounts_of(due: QuerySet[Any]) -> list[int]:
    accounts = due.order_by("service_account").values_list("service_account", flat=True)
    return list(accounts.distinct()[:BATCH_SIZE])


def listed_tokens_to_end() -> Effects:
    """Tokens that nobody here issued and that are to be deleted, and that no worker took."""
    return Effects(end_listed=_not_taken(ListedToken.objects.to_end()))


def webhooks_to_call() -> Effects:
    """Webhooks with messages that wait, and that no worker took.

    Few at a time: a receiver may take ten seconds to say nothing, and what people wait for needs
    the workers.
    """
    most = max(1, settings.WORKER_PROCESSES // 4)
    lately = Now() - RING_AGAIN_AFTER
    unheard = Webhook.objects.filter(Q(rung_at=None) | Q(rung_at__lt=lately))
    waited_longest = F("called_at").asc(nulls_first=True)
    ids = list(unheard.due().order_by(waited_longest, "pk").values_list("pk", flat=True)[:most])
    if not ids:
        return Effects()
    under_way = Webhook.objects.filter(Q(rung_at__gte=lately) | Q(lease_until__gt=Now())).count()
    ids = ids[: max(0, most - under_way)]
    Webhook.objects.filter(pk__in=ids).update(rung_at=Now())
    return Effects(webhook=ids)


def requests_to_issue() -> Effects:
    """Queued requests that no worker took."""
    return Effects(issue=_not_taken(Token.objects.filter(state=State.QUEUED), first="queued_at"))


def tokens_to_delete() -> Effects:
    """Revoked tokens that AWS has not deleted, and that no worker took."""
    return Effects(revoke=_not_taken(Token.objects.filter(state=State.REVOKING), first="queued_at"))


def tokens_to_settle() -> Effects:
    """Tokens of which a request that has ended may have left one at AWS."""
    return Effects(settle=_not_taken(Token.objects.unsettled(), first="queued_at"))


def _not_taken(rows: Any, *, first: str = "pk") -> list[Any]:
    """Those of the rows, tokens or an outbox, that are due and that no worker took, oldest first.

    At most twice the workers' number at a time: a broker that comes back is not flooded.
    """
    unheard = Q(rung_at=None) | Q(rung_at__lt=Now() - RING_AGAIN_AFTER)
    due = rows.filter(unheard).due().order_by(first)
    ids = list(due.values_list("pk", flat=True)[: 2 * settings.WORKER_PROCESSES])
    if ids:
        rows.model._default_manager.filter(pk__in=ids).update(rung_at=Now())
    return ids
