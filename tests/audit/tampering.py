"""What the owner of the audit log's table can do to it underneath, and to an export of it."""

from collections.abc import Callable
from typing import Any

from django.db import connection

from portal.appendonly import TRIGGERS
from portal.audit import chain, rows
from portal.audit.chain import Head
from portal.audit.verify import key_id
from portal.models import AuditEvent, AuditHead

STRANGE_KEY = b"a key that somebody has made up for this"


def take_down_triggers() -> None:
    """Take the triggers down that keep events and head as they are."""
    with connection.cursor() as cursor:
        for name, table in TRIGGERS[connection.vendor].items():
            on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")


# -- The database -------------------------------------------------------------------------------


def change(seq: int, /, **columns: Any) -> None:
    """Write other values into an event's columns."""
    assert AuditEvent.objects.filter(seq=seq).update(**columns) == 1


def delete(*seqs: int) -> None:
    AuditEvent.objects.filter(seq__in=seqs).delete()


def set_head_to(seq: int) -> None:
    """Have the head say that the log ends here."""
    AuditHead.objects.update(seq=seq, hash=AuditEvent.objects.get(seq=seq).hash)


def content(seq: int) -> dict[str, Any]:
    """Everything of an event but its number."""
    [row] = AuditEvent.objects.filter(seq=seq).values()
    return {name: value for name, value in row.items() if name != "seq"}


def swap(one: int, other: int) -> None:
    """Let two events change places, each with all it says."""
    first, second = content(one), content(other)
    change(one, **second)
    change(other, **first)


def put(seq: int, like: int, **columns: Any) -> None:
    """An event more, at a number that none has, otherwise like another."""
    AuditEvent.objects.create(seq=seq, **(content(like) | columns))


def insert(seq: int, like: int, **columns: Any) -> None:
    """An event more, before the one that has its number, which moves up with all after it."""
    said = content(like) | columns
    for moved in AuditEvent.objects.filter(seq__gte=seq).order_by("-seq"):
        change(moved.seq, seq=moved.seq + 1)
    AuditEvent.objects.create(seq=seq, **said)


def close_up(seq: int) -> None:
    """Take an event out, and have those after it move up."""
    delete(seq)
    for moved in AuditEvent.objects.filter(seq__gt=seq).order_by("seq"):
        change(moved.seq, seq=moved.seq - 1)


def forge(seq: int, key: bytes, **columns: Any) -> None:
    """Make an event say something else, text and hash included, with a key."""
    change(seq, **columns)
    event = AuditEvent.objects.get(seq=seq)
    body = chain.body(rows.told(event))
    link = chain.link(key, Head(seq - 1, event.prev_hash), event.at, body)
    change(seq, text=link.text, hash=link.hash, key_id=key_id(key))


def forge_from(seq: int, key: bytes) -> None:
    """Forge an event and everything after it, so that it hangs together again."""
    last = AuditEvent.objects.order_by("seq").last()
    assert last is not None
    for one in range(seq, last.seq + 1):
        if one > 1:
            change(one, prev_hash=AuditEvent.objects.get(seq=one - 1).hash)
        forge(one, key, actor="somebody else")
    set_head_to(last.seq)


# -- An export ----------------------------------------------------------------------------------

Lines = list[bytes]


def on_line(number: int, old: bytes, new: bytes) -> Callable[[Lines], Lines]:
    """Replace something on a line; lines are numbered like events."""

    def tamper(lines: Lines) -> Lines:
        assert old in lines[number - 1]
        lines[number - 1] = lines[number - 1].replace(old, new)
        return lines

    return tamper


def without(*numbers: int) -> Callable[[Lines], Lines]:
    return lambda lines: [line for at, line in enumerate(lines, 1) if at not in numbers]


def reordered(one: int, other: int) -> Callable[[Lines], Lines]:
    def tamper(lines: Lines) -> Lines:
        lines[one - 1], lines[other - 1] = lines[other - 1], lines[one - 1]
        return lines

    return tamper


def twice(number: int, after: int) -> Callable[[Lines], Lines]:
    return lambda lines: [*lines[:after], lines[number - 1], *lines[after:]]
