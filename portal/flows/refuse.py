"""Somebody is over a limit: the audit log is told of the first at once, of more by their number."""

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from portal import audit, limits
from portal.audit import Actor
from portal.limits import LimitExceededError
from portal.models import Action, LimitUse, User

COUNTED_FOR = timedelta(minutes=5)
"""After a refusal was recorded, those like it are counted for this long, and told as one event."""
BATCH_SIZE = 200
FORGOTTEN_AFTER = timedelta(days=1)
"""Every bucket has run empty by then."""


def refuse(exceeded: LimitExceededError, *, address: str | None, user_agent: str) -> None:
    """Record that somebody was refused; ``address`` is where this refusal was met."""
    limit, subject = exceeded.limit, exceeded.subject
    if limits.count_refusal(limit, subject):
        return
    with transaction.atomic():
        row = limits.row_of(limit, subject, person=exceeded.person, address=exceeded.address)
        if row.told_at is not None:
            limits.count_refusal(limit, subject)
            return
        row.told_at = Now()
        row.save(update_fields=["told_at"])
        actor = _actor(exceeded.person, address, user_agent)
        _record(limit.name, actor)


def record_counted_refusals() -> None:
    """Record, as one event each, what was counted until now; the sweep calls this."""
    over = LimitUse.objects.filter(told_at__lt=Now() - COUNTED_FOR)
    for pk in over.values_list("pk", flat=True)[:BATCH_SIZE]:
        with transaction.atomic():
            row = over.select_for_update(skip_locked=True, of=("self",), no_key=True)
            found = row.select_related("person").filter(pk=pk).first()
            if found is None:
                continue
            refused, found.refused, found.told_at = found.refused, 0, None
            found.save(update_fields=["refused", "told_at"])
            if refused:
                _record(found.limit, _actor(found.person, found.address or None), count=refused)


def forget_old_uses() -> None:
    """Delete the rows of buckets that nobody has used for long; the sweep calls this."""
    old = LimitUse.objects.filter(level_at__lt=Now() - FORGOTTEN_AFTER, told_at=None)
    if ids := list(old.values_list("pk", flat=True)[:BATCH_SIZE]):
        old.filter(pk__in=ids).delete()


def _actor(person: User | None, address: str | None, user_agent: str = "") -> Actor:
    return Actor(user=person, address=address, user_agent=user_agent, unknown=person is None)


def _record(name: str, actor: Actor, *, count: int | None = None) -> None:
    audit.record(Action.LIMIT_EXCEEDED, actor=actor, subject=name, count=count)
