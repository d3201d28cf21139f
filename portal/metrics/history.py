"""How requests ended and how long they took, counted along the audit log.

The log is never counted from its beginning: ``Tally`` keeps what there was up to an event, and what
came after it is added, by the scheduler every few seconds and by each scrape for itself. Numbers of
events are without gaps and in the order of their commits, so that none is missed or counted twice.
"""

import time
import uuid
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from portal.models import Action, AuditEvent, AuditHead, Tally, Token
from portal.observing import Series, observe

DURATION_BOUNDS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""Seconds; the upper bounds of ``portal_sealed_seconds`` and ``portal_delivered_seconds``."""
BATCH = 5000
"""Events."""
LONGEST_FOLD = 1.0
"""Seconds of one run of the scheduler's job: a log that was never counted takes several."""
LONGEST_TAIL = 20_000
"""Events that a scrape counts itself; where there are more, it says nothing of them."""

_CURSOR: Series = ("audit_counted_to", "")
_OUTCOMES = {
    Action.TOKEN_DELIVERED: "delivered",
    Action.TOKEN_FAILED: "failed",
    Action.TOKEN_DENIED: "denied",
    Action.TOKEN_CANCELLED: "cancelled",
    Action.TOKEN_UNCLAIMED: "unclaimed",
}
OUTCOMES = tuple(_OUTCOMES.values())
_OF_ROWS = (Action.TOKEN_ISSUED, Action.TOKEN_DELIVERED, Action.TOKEN_REVOKE_REQUESTED)
"""What of these counts, the token's row tells."""
_COUNTED = (*_OUTCOMES, *_OF_ROWS[::2], Action.TOKEN_ORPHAN_REMOVED)


def fold() -> bool:
    """Count what has come since it was last counted; whether all of it is."""
    until = time.monotonic() + LONGEST_FOLD
    while time.monotonic() < until:
        if _fold_once():
            return True
    return False


def numbers_so_far() -> dict[Series, float] | None:
    """What is kept, and what the log tells beyond it; None while that is too much to count now.

    The key of the cursor stays among them. Writes nothing.
    """
    known = Tally.objects.numbers()
    head = AuditHead.objects.values_list("seq", flat=True).first() or 0
    cursor = int(known.get(_CURSOR, 0))
    if head - cursor > LONGEST_TAIL:
        return None
    found = Counter(known)
    if head > cursor:
        found.update(_between(cursor, head))
    return dict(found)


def kept() -> dict[Series, float]:
    """What is kept, whatever the log tells beyond it."""
    return Tally.objects.numbers()


def _fold_once() -> bool:
    """Count one batch; whether it was the last. One at a time: others wait for the cursor's row."""
    head = AuditHead.objects.values_list("seq", flat=True).first() or 0
    behind = int(Tally.objects.number(*_CURSOR))
    if behind == head:
        return True
    with transaction.atomic():
        Tally.objects.add({_CURSOR: 0})
        metric, labels = _CURSOR
        row = Tally.objects.select_for_update().get(metric=metric, labels=labels)
        # Beyond the head where the log was cut: what comes now is new.
        cursor = min(int(row.value), head)
        end = min(cursor + BATCH, head)
        Tally.objects.add({**_between(cursor, end), _CURSOR: end - int(row.value)})
    return end == head


def _between(after: int, until: int) -> "Counter[Series]":
    """What the events with these numbers add."""
    events = AuditEvent.objects.filter(seq__gt=after, seq__lte=until, action__in=_COUNTED)
    found: Counter[Series] = Counter()
    of_rows: list[tuple[str, uuid.UUID | None]] = []
    for action, token_id in events.order_by("seq").values_list("action", "token_id"):
        if outcome := _OUTCOMES.get(Action(action)):
            found["portal_requests_total", outcome] += 1
        if action == Action.TOKEN_UNCLAIMED:
            found["portal_unclaimed_total", ""] += 1
        elif action == Action.TOKEN_ORPHAN_REMOVED:
            found["portal_orphans_removed_total", ""] += 1
        if action in _OF_ROWS:
            of_rows.append((action, token_id))
    _add_rows(found, of_rows)
    return found


def _add_rows(found: "Counter[Series]", events: Iterable[tuple[str, uuid.UUID | None]]) -> None:
    """From the submit that brought the browser's key to the sealed key and to its delivery; people
    may have thought about it for days before that.

    A sealed key that somebody revoked before it was taken was a request that was cancelled.
    """
    events = list(events)
    ids = [token_id for _, token_id in events if token_id is not None]
    rows: dict[uuid.UUID | None, Any] = {}
    for first in range(0, len(ids), 500):
        some = Token.objects.filter(pk__in=ids[first : first + 500])
        rows.update(
            {
                pk: times
                for pk, *times in some.order_by().values_list(
                    "pk", "queued_at", "sealed_at", "delivered_at"
                )
            }
        )
    for action, token_id in events:
        if token_id not in rows:
            continue
        submitted, sealed, delivered = rows[token_id]
        if action == Action.TOKEN_REVOKE_REQUESTED:
            if delivered is None:
                found["portal_requests_total", "cancelled"] += 1
            continue
        is_issued = action == Action.TOKEN_ISSUED
        name, at = ("sealed", sealed) if is_issued else ("delivered", delivered)
        if at is not None:
            seconds = (at - submitted).total_seconds()
            observe(found, f"portal_{name}_seconds", seconds, DURATION_BOUNDS)
