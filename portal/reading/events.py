"""Events by filter: a page at a time, or all of them in a stream."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Greatest

from portal.models import AuditEvent, Token
from portal.reading.filters import Bounds, Filter

PAGE_SIZE = 50
NEAR = 5000
"""How many events are looked through for what may be frequent."""

LONGEST_STORY = 1000
LONGEST_LINEAGE = 100
STREAM_CHUNK = 1000
"""Rows read at a time; of 5,000, which fit no cache of a CPU, each takes a quarter longer."""

_MOMENT = Greatest("at", "at")
"""An event's time, under which no index knows it: the bounds have narrowed a page to its range, but
a database takes them for another condition still, expects next to nothing of both together, and
would rather read and sort all of the range by its time."""


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
    backward = after is None
    bounds = wanted.bounds().narrowed(above=after, below=before)
    conditions = wanted.without_text(moment="moment")
    found: dict[int, AuditEvent] = {}
    for alternative in wanted.alternatives():
        rows = AuditEvent.objects.alias(moment=_MOMENT).filter(conditions & alternative.condition)
        ask = _ordered if alternative.is_ordered else _gathered
        found.update((event.seq, event) for event in ask(rows, bounds, size + 1, backward))
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


def _ordered(
    rows: QuerySet[AuditEvent], bounds: Bounds, limit: int, backward: bool
) -> list[AuditEvent]:
    """The first of the rows from one end: an index has them in this order."""
    rows = rows.filter(bounds.condition())
    return list(rows.order_by("-seq" if backward else "seq")[:limit])


def _gathered(
    rows: QuerySet[AuditEvent], bounds: Bounds, limit: int, backward: bool
) -> list[AuditEvent]:
    """The same where the index has them in another order.

    What matches everywhere is found among the nearest events. What does not is gathered from its
    index and sorted; were the database free to choose, it would rather go through the whole log for
    names that were in use long ago, since it takes them for scattered evenly.
    """
    if backward:
        edge = bounds.below or 1 + (AuditEvent.objects.aggregate(seq=Max("seq"))["seq"] or 0)
        near = bounds.narrowed(above=edge - 1 - NEAR)
    else:
        near = bounds.narrowed(below=(bounds.above or 0) + 1 + NEAR)
    found = _ordered(rows, near, limit, backward)
    if len(found) == limit:
        return found
    # An expression is no column of an index, so its order can't be read off one.
    number = F("seq") + 0
    gathered = rows.filter(bounds.condition()).values_list("seq", flat=True)
    gathered = gathered.order_by(number.desc() if backward else number.asc())[:limit]
    with _one_process():
        seqs = list(gathered)
    return list(AuditEvent.objects.filter(seq__in=seqs))


@contextmanager
def _one_process() -> Iterator[None]:
    """Keep PostgreSQL from sharing a question out among workers: to start them takes longer than
    the question does alone (measured: 65 ms instead of 19 for 60,000 matches)."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        yield


def count_up_to(wanted: Filter, most: int) -> int | None:
    """How many events there are; None when it is more than ``most``."""
    count = AuditEvent.objects.filter(wanted.condition())[: most + 1].count()
    return count if count <= most else None


def stream(wanted: Filter, columns: list[str], *, up_to: int) -> Iterator[tuple[Any, ...]]:
    """Columns of every event of the filter up to a number, oldest first, in constant memory.

    PostgreSQL keeps a cursor open, which lives as long as its transaction; SQLite reads on by
    itself, and a transaction there would keep every writer out.
    """
    return stream_of(wanted.condition(), columns, up_to=up_to)


def stream_of(condition: Q, columns: list[str], *, up_to: int) -> Iterator[tuple[Any, ...]]:
    """The same of whatever meets a condition."""
    rows = AuditEvent.objects.filter(condition, seq__lte=up_to).order_by("seq")
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
