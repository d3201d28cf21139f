"""The chain in the database: against its text, its columns, its head and the published heads."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from portal.audit.chain import TOLD, Head, moment
from portal.audit.head import HeadMissingError, read_head
from portal.audit.verify import BrokenError, Chain, Published, UnreadableError, key_id
from portal.models import AuditEvent

BATCH_SIZE = 2000

_FIELDS = (
    *("seq", "prev_hash", "hash", "text", "format", "key_id", "at"),
    *("token_id" if name == "token" else name for name in TOLD),
)
_TOKEN = TOLD.index("token")
_EMPTY = {
    name: None if AuditEvent._meta.get_field(field).null else ""
    for name, field in zip(TOLD, _FIELDS[-len(TOLD) :], strict=True)
}
"""What stands in the columns of which an event's text says nothing."""


class Verified(NamedTuple):
    """The last event of an intact log, and under which key each stretch of it stands, in lines."""

    head: Head
    keys: list[str]


def verify_database(keys: Sequence[bytes], published: Mapping[int, Published]) -> Verified:
    """Check every event, of which the last must be under the first of the keys.

    Reads in pages: constant memory, and nothing is locked. Raises BrokenError with the first bad
    event, and UnreadableError when no key fits.
    """
    chain = Chain(keys, published)
    try:
        _follow(chain)
    except UnreadableError as error:
        # A wrong key fits nothing at all; a strange key among others is a forgery.
        if chain.count == 0 and not _fits_last(keys):
            raise
        raise BrokenError(chain.seq + 1, f"is {error}") from None
    _compare_with_head(chain)
    chain.end()
    chain.succession.end(keys[0])
    return Verified(Head(chain.seq, chain.hash.decode()), chain.succession.told(keys[0]))


def _follow(chain: Chain) -> None:
    events = AuditEvent.objects.order_by("seq").values_list(*_FIELDS)
    misplaced = events.filter(seq__lt=1).first()
    if misplaced:
        raise BrokenError(misplaced[0], "has no place: the first event is 1")
    while page := list(events.filter(seq__gt=chain.seq)[:BATCH_SIZE]):
        for row in page:
            _check(chain, row)


def _check(chain: Chain, row: tuple[Any, ...]) -> None:
    seq, prev_hash, own_hash, text, form, key, at, *told = row
    if seq != chain.seq + 1:
        raise BrokenError(chain.seq + 1, f"is missing: event {seq} stands in its place")
    if not text.startswith(f'{{"seq":{seq},'):
        raise BrokenError(seq, "was altered: its text is not that of an event of this number")
    chain.follow(prev_hash.encode(), own_hash.encode(), text.encode())
    told[_TOKEN] = told[_TOKEN] and str(told[_TOKEN])
    columns = dict(zip(TOLD, told, strict=True))
    columns |= {"seq": seq, "format": form, "key_id": key, "at": moment(at)}
    if _EMPTY | json.loads(text) != columns:
        said = _EMPTY | json.loads(text)
        others = ", ".join(sorted(name for name in columns if said.get(name) != columns[name]))
        raise BrokenError(seq, f"was altered: its text says something else than {others}")


def _compare_with_head(chain: Chain) -> None:
    """The last event is the head, or events have been written since it was read."""
    while True:
        try:
            head, _ = read_head()
        except HeadMissingError as error:
            raise BrokenError(None, str(error)) from None
        if head == (chain.seq, chain.hash.decode()):
            return
        before = chain.seq
        _follow(chain)
        if head.seq > chain.seq:
            raise BrokenError(chain.seq + 1, f"is missing: the head is event {head.seq}")
        if before == chain.seq:
            raise BrokenError(min(head.seq + 1, chain.seq), "is not what the head says")


def _fits_last(keys: Sequence[bytes]) -> bool:
    """Whether the last event says that it was written with one of the keys."""
    last = AuditEvent.objects.order_by("-seq").values_list("key_id", flat=True).first()
    return last in {key_id(key) for key in keys}
