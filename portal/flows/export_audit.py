"""Somebody exports the audit log: that they did is an event, written before they get anything."""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import transaction

from portal import audit, policy
from portal.audit import Actor
from portal.audit.chain import Head
from portal.models import Action
from portal.reading.events import count_up_to
from portal.reading.filters import Filter

MOST_COUNTED = 10_000
"""Up to here the event says how many events were exported; counting more would read them all."""


@dataclass(frozen=True, slots=True)
class Export:
    """Where an export ends, and when that was. Later events are not in it."""

    head: Head
    at: datetime


def export_audit(wanted: Filter, kind: str, *, actor: Actor, count: int | None = None) -> Export:
    """Record that ``actor`` exports these events as ``kind`` (``csv`` or ``jsonl``);
    of what was alive at a moment, ``count`` says how many tokens that are.

    The export ends with this event, so an unfiltered one contains it. Raises
    PermissionDenied.
    """
    if actor.user is None or not policy.may_audit(actor.user):
        raise PermissionDenied
    if wanted.as_of is None:
        count = count_up_to(wanted, MOST_COUNTED)
    with transaction.atomic():
        event = audit.record(
            Action.AUDIT_EXPORTED, actor=actor, subject=f"{kind}?{wanted}", count=count
        )
    return Export(Head(event.seq, event.hash), event.at)
