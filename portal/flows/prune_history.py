"""Deletes rows that are over for long: sessions, mails, requests and tokens. Their events stay."""

from collections import Counter
from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q

from portal import audit
from portal.audit import Actor
from portal.metrics import history
from portal.models import Action, Handover, LeadMail, LostMail, Notice, PasswordMail, Token
from portal.models.lookups import HAS_ENDED

DEFAULT_DAYS = 400
"""Thirteen months: a yearly review still finds the year before."""
AT_ONCE = 500
"""Rows of one transaction."""


class NotYetCountedError(Exception):
    """Monitors have not counted the log to its end, and need the rows for that."""


def prune_history(*, days: int, actor: Actor) -> dict[str, int]:
    """Delete what ended longer ago than this; returns how many rows of each kind.

    A token that AWS may still have, or of whose attempts the outcome is unknown, stays. One event
    says what went. Raises NotYetCountedError.
    """
    before = Token.objects.database_now() - timedelta(days=days)
    if not history.fold():
        raise NotYetCountedError
    gone: Counter[str] = Counter()
    gone["tokens and requests"] = _tokens(before)
    gone["notices"] = _notices(before)
    over = Q(sent_at__lt=before) | Q(dropped_at__lt=before)
    gone["mails to leads"] = LeadMail.objects.filter(over, created_at__lt=before).delete()[0]
    gone["sessions"] = Session.objects.filter(expire_date__lt=before).delete()[0]
    gone["password mails"] = PasswordMail.objects.filter(created_at__lt=before).delete()[0]
    gone["lost mails"] = LostMail.objects.filter(lost_at__lt=before).delete()[0]
    if total := sum(gone.values()):
        what = ", ".join(f"{number} {name}" for name, number in gone.items() if number)
        with transaction.atomic():
            audit.record(
                Action.HISTORY_PRUNED,
                actor=actor,
                subject=f"{what} that ended before {before:%Y-%m-%d %H:%M} UTC",
                count=total,
            )
    return dict(gone)


def _tokens(before: datetime) -> int:
    over = Token.objects.filter(
        HAS_ENDED,
        Q(expires_at=None) | Q(expires_at__lt=before),
        state_at__lt=before,
        may_exist_at_aws=False,
        unresolved_since=None,
        orphan_id="",
    ).order_by("state_at", "pk")
    gone = 0
    while pks := list(over.values_list("pk", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            rows = [token.pk for token in Token.objects.filter(pk__in=pks).lock_each()]
            # Its successor keeps the first name of their line, and forgets which row it followed.
            Token.objects.filter(replaces__in=rows).update(replaces=None)
            Notice.objects.filter(token__in=rows).delete()
            Handover.objects.filter(token__in=rows).delete()
            Token.objects.filter(pk__in=rows).delete()
        gone += len(rows)
    return gone


def _notices(before: datetime) -> int:
    over = Notice.objects.filter(
        Q(sent_at__lt=before) | Q(dropped_at__lt=before), created_at__lt=before
    )
    gone = 0
    while pks := list(over.values_list("pk", flat=True)[:AT_ONCE]):
        gone += Notice.objects.filter(pk__in=pks).delete()[0]
    return gone
