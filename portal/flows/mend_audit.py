"""The owner of the audit log's tables mends its head, and that is an event of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from django.db import connection, transaction

from portal import appendonly, audit
from portal.audit import Actor, succession
from portal.audit.publishing import published
from portal.audit.verify import GENESIS
from portal.models import Action, AuditEvent, AuditHead

ROWS_AT_A_TIME = 1_000
_LOCK = """
    LOCK TABLE portal_audithead IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE portal_auditevent IN SHARE ROW EXCLUSIVE MODE;
"""


class CannotMendError(Exception):
    """Why the head stays as it is, and what to do; for operators."""


@dataclass(frozen=True, slots=True)
class Mended:
    """What was wrong and is no more (empty: nothing), and the rows that were taken out, as JSON."""

    text: str
    taken_out: list[str] = field(default_factory=list)


def mend_audit(*, actor: Actor, take_out: int | None = None) -> Mended:
    """Set the head to the last event of the log, and write an event that says so.

    Rows after it that no key of ours has hashed are no events. They are taken out if ``take_out``
    is the number of the first, and keep the head from being mended otherwise. Nothing is done to a
    row that is followed by an event. Everybody who records something waits meanwhile.

    Raises CannotMendError, UnreadableError where published heads can't be read, and DatabaseError,
    also for whoever does not own the tables.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_LOCK)
        rows = _rows_that_are_no_events()
        events = AuditEvent.objects.order_by("seq")
        last = (events.filter(seq__lt=rows[0].seq) if rows else events).last()
        seq, own_hash = (last.seq, last.hash) if last else (0, GENESIS)
        if rows:
            _require_consent(rows, take_out)
            with appendonly.resting():
                AuditEvent.objects.filter(seq__gt=seq).delete()
        head = AuditHead.objects.first()
        if head is None:
            AuditHead.objects.create(seq=seq, hash=own_hash)
        elif (head.seq, head.hash) != (seq, own_hash):
            AuditHead.objects.update(seq=seq, hash=own_hash, key_id="")
        elif not rows:
            return Mended("")
        was = f"event {head.seq}" if head else "missing"
        text = f"the head of the audit log was {was}, and is event {seq}"
        told = [_told(row) for row in rows]
        if told:
            digest = sha256("\n".join(told).encode()).hexdigest()
            text += f"; rows {rows[0].seq} to {rows[-1].seq} were no events: SHA-256 {digest}"
        audit.record(Action.SETTINGS_CHANGED, actor=actor, subject=text)
    return Mended(text, told)


def _rows_that_are_no_events() -> list[AuditEvent]:
    """The rows at the log's end that no key of ours has hashed, in their order."""
    found: list[AuditEvent] = []
    for row in _backwards():
        if succession.is_event(row):
            return found[::-1]
        found.append(row)
    if found:
        raise CannotMendError(
            "no row of the log is an event under AUDIT_KEY or one of AUDIT_KEYS_RETIRED: are these "
            "the log's keys?"
        )
    return []


def _backwards() -> Iterator[AuditEvent]:
    page = list(AuditEvent.objects.order_by("-seq")[:ROWS_AT_A_TIME])
    while page:
        yield from page
        page = list(
            AuditEvent.objects.filter(seq__lt=page[-1].seq).order_by("-seq")[:ROWS_AT_A_TIME]
        )


def _require_consent(rows: list[AuditEvent], take_out: int | None) -> None:
    """Raise CannotMendError unless these rows may go, and somebody has named the first."""
    first, last = rows[0].seq, rows[-1].seq
    heads = published()
    known = {row.key_id for row in rows} & succession.keys_that_followed()
    for row in rows:
        if row.seq in heads and heads[row.seq].hash == row.hash:
            raise CannotMendError(f"event {row.seq} was published as the head, and stays")
    if known:
        raise CannotMendError(
            f"rows {first} to {last} are under the key {known.pop()}, which has followed one of "
            "yours: set AUDIT_KEY to that one"
        )
    if take_out != first:
        raise CannotMendError(
            f"rows {first} to {last} were written with no key of yours. If AUDIT_KEY and "
            "AUDIT_KEYS_RETIRED are right, they are no events: take them out with --take-out "
            f"{first}"
        )


def _told(row: AuditEvent) -> str:
    values: dict[str, Any] = {
        one.attname: getattr(row, one.attname) for one in row._meta.concrete_fields
    }
    return json.dumps(values, default=str)
