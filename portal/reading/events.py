"""Events by filter: a page at a time, or all of them in a stream."""

import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from portal.models import AuditEvent, Token
from portal.reading.filters import Filter

PAGE_SIZE = 50
LONGEST_STORY = 1000
LONGEST_LINEAGE = 100
STREAM_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Page:
    """Events, newest first, and where the neighbouring pages begin (None: there is none)."""

    events: list[AuditEvent]
    before: int | None
    after: int | None


def page(
    wanted: Filter, *, before: int | None = None, after: int | None = None, size: int = PAGE_SIZE
) -> Page:
    """The newest events of the filter, or those next to an event's number on either side.

    Each meaning of a free text is asked for on its own and the answers are merged: every question
    then follows one index from one end, and stops after a page.
    """
    place = Q()
    if after is not None:
        place = Q(seq__gt=after)
    elif before is not None:
        place = Q(seq__lt=before)
    backward = after is None
    common = place & wanted.without_text() & wanted.bounds()
    found: dict[int, AuditEvent] = {}
    for alternative in wanted.alternatives():
        rows = AuditEvent.objects.filter(common & alternative)
        rows = rows.order_by("-seq" if backward else "seq")
        found.update((event.seq, event) for event in rows[: size + 1])
    ordered = sorted(found, reverse=backward)
    has_more = len(ordered) > size
    shown = sorted(ordered[:size], reverse=True)
    if not shown:
        return Page([], None, None)
    has_older = has_more if backward else True
    has_newer = before is not None if backward else has_more
    return Page(
        [found[seq] for seq in shown],
        before=shown[-1] if has_older else None,
        after=shown[0] if has_newer else None,
    )


def count_up_to(wanted: Filter, most: int) -> int | None:
    """How many events there are; None when it is more than ``most``."""
    count = AuditEvent.objects.filter(wanted.condition())[: most + 1].count()
    return count if count <= most else None


def stream(wanted: Filter, columns: list[str], *, up_to: int) -> Iterator[tuple[Any, ...]]:
    """Columns of every event of the filter up to a number, oldest first, in constant memory.

    PostgreSQL keeps a cursor open, which lives as long as its transaction; SQLite reads on by
    itself, and a transaction there would keep every writer out.
    """
    rows = AuditEvent.objects.filter(wanted.condition(), seq__lte=up_to).order_by("seq")
    whole = transaction.atomic() if connection.vendor == "postgresql" else nullcontext()
    with whole:
        yield from rows.values_list(*columns).iterator(chunk_size=STREAM_CHUNK)


def lineage(token_id: uuid.UUID) -> set[uuid.UUID]:
    """The ids of a token, of those that it replaces, and of all that replace one of them."""
    first = token_id
    for _ in range(LONGEST_LINEAGE):
        replaced = Token.objects.filter(pk=first).values_list("replaces", flat=True).first()
        if replaced is None:
            break
        first = replaced
    found = {token_id, first}
    newest = {first}
    while newest and len(found) < LONGEST_LINEAGE:
        newest = set(Token.objects.filter(replaces__in=newest).values_list("pk", flat=True))
        found |= newest
    return found


def story(token_id: uuid.UUID) -> list[AuditEvent]:
    """Everything the log says of a token and of its lineage, oldest first."""
    told = AuditEvent.objects.filter(token_id__in=lineage(token_id)).order_by("seq")
    return list(told[:LONGEST_STORY])
