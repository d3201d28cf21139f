"""Events as rows: what is made ready before the head is locked, and how they are written.

Every writer waits for the one that holds the head, so Django's own way, which takes longer for
each statement and needs two of them, is not taken here (docs/decisions/0005).
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from portal.audit import chain, keys
from portal.audit.chain import Head, Link
from portal.audit.verify import key_id
from portal.models import AuditEvent

_LINKED = ("seq", "at", *Link._fields)
"""What depends on the head."""

_KNOWN = [field for field in AuditEvent._meta.concrete_fields if field.name not in _LINKED]
_COLUMNS = ", ".join(f'"{name}"' for name in (*(field.column for field in _KNOWN), *_LINKED))
_INSERT = f"INSERT INTO portal_auditevent ({_COLUMNS}) VALUES "  # noqa: S608 (names alone)
_ONE = f"({', '.join(['%s'] * (len(_KNOWN) + len(_LINKED)))})"
_MOVE_HEAD = "UPDATE portal_audithead SET seq = %s, hash = %s, key_id = %s"


def told(event: AuditEvent) -> dict[str, object]:
    """What the text of an event says, by the names that it has there."""
    values = {name: getattr(event, name) for name in chain.TOLD if name != "token"}
    return values | {"token": event.token_id and str(event.token_id)}


def known(event: AuditEvent) -> list[Any]:
    """The columns that don't depend on the head, as the database takes them."""
    return [field.get_db_prep_save(getattr(event, field.attname), connection) for field in _KNOWN]


def linked(event: AuditEvent) -> list[Any]:
    """The other columns, which follow them."""
    at = connection.ops.adapt_datetimefield_value(event.at)
    return [event.seq, at, event.text, event.prev_hash, event.hash]


def write(rows: Sequence[Sequence[Any]], head: Head) -> None:
    """Insert events (for each its known and its linked columns) and move the head, which is locked.

    One statement where the database takes it: the next writer waits for every way there and back.
    """
    moved: list[Any] = [head.seq, head.hash, key_id(keys.current())]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            insert = _INSERT + ", ".join([_ONE] * len(rows))
            values: list[Any] = [value for row in rows for value in row]
            cursor.execute(f"WITH moved AS ({_MOVE_HEAD}) {insert}", moved + values)
        else:
            cursor.executemany(_INSERT + _ONE, rows)
            cursor.execute(_MOVE_HEAD, moved)
