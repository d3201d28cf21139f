"""Which key the log stands under, and how this process' own, AUDIT_KEY, follows it.

A key replaces another once, by an event that both sign (portal/audit/verify.py); one that has been
replaced writes nothing any more. Whoever can write to the tables, and holds no key, can add rows
that are no events: they are told from events by their hash, and stop nothing.
"""

import logging
from collections.abc import Iterator
from typing import NamedTuple

from django.db import OperationalError

from portal.audit import keys
from portal.audit.chain import Head
from portal.audit.publishing import contradicted, published
from portal.audit.verify import UnreadableError, event_hash, key_id, succession
from portal.models import Action, AuditEvent

log = logging.getLogger(__name__)

MOST_ROWS_THAT_ARE_NO_EVENTS = 1_000
"""At the end of the log, that a start looks past to find an event of its own key."""


class WrongKeyError(OperationalError):
    """This process' AUDIT_KEY can't write the next event. As the database, it may be away for some
    and not for others: nothing happens that would not be recorded."""


class _Last(NamedTuple):
    """The last row, the key that it names, and that key again if it is ours and has hashed it."""

    seq: int
    key_named: str
    key_id: str


def subject_after(head: Head) -> str:
    """What the event must say by which AUDIT_KEY follows another key; empty where it has done so.

    Call it with the head locked, and write that event first. Raises WrongKeyError, whose text is
    for operators.
    """
    own, last = key_id(keys.current()), _last(head)
    if last is None or last.key_id == own:
        return ""
    if replaced_at(keys.current()) is not None:
        raise WrongKeyError(
            f"AUDIT_KEY ({own}) has been replaced: the log goes on under the key {last.key_named}; "
            "start this process with that one"
        )
    if not last.key_id:
        _look_past(head, last)
        return ""
    if _stood_before(own, head.seq):
        # Nothing that this process says would make it right: verification tells.
        log.error("audit.key_came_back", extra={"seq": last.seq, "key_id": last.key_id})
        return ""
    _require_published_heads()
    [old] = [key for key in keys.every() if key_id(key) == last.key_id]
    return succession(old, head.hash, own)


def subject_at_start(head: Head) -> str:
    """What a start has to record of the key: that it follows another, or which it is; or nothing.

    From the first event that names its key, none may follow unsigned. Raises WrongKeyError.
    """
    own, last = key_id(keys.current()), _last(head)
    if last and last.key_id and last.key_id != own and _is_swapped(own, last):
        raise WrongKeyError(
            f"AUDIT_KEY ({own}) served before the key {last.key_id} did, which AUDIT_KEYS_RETIRED "
            "names: are they swapped?"
        )
    follows = subject_after(head)
    is_named = any(_signer(*row[:5]) == own for row in _naming(f"AUDIT_KEY {own}"))
    return follows or ("" if is_named else f"AUDIT_KEY {own}")


def is_event(row: AuditEvent) -> bool:
    """Whether one of our keys has hashed the row."""
    return bool(_signer(row.seq, row.key_id, row.prev_hash, row.text, row.hash))


def keys_that_followed() -> set[str]:
    """The ids of keys to which one of ours has handed over."""
    return {new_id for key in keys.every() for _, new_id in _replacements(key)}


def replaced_at(key: bytes) -> int | None:
    """The event by which this key handed over to another, which it has signed itself."""
    return next((seq for seq, _ in _replacements(key)), None)


def _replacements(key: bytes) -> Iterator[tuple[int, str]]:
    """Such events, and the ids of the keys that followed."""
    for seq, _, prev_hash, _, _, subject in _naming(f" after {key_id(key)}"):
        new_id = subject.removeprefix("AUDIT_KEY ")[:16]
        if subject == succession(key, prev_hash, new_id):
            yield seq, new_id


def _require_published_heads() -> None:
    """Another key must not go on with a log that somebody has cut off or rewritten."""
    try:
        seq = contradicted(published())
    except UnreadableError as error:
        raise WrongKeyError(f"AUDIT_KEY can't replace the key before it: {error}") from None
    if seq is not None:
        raise WrongKeyError(
            f"AUDIT_KEY can't replace the key before it: event {seq} is not the one that was "
            "published as the head; run manage.py verify_audit"
        )


def _last(head: Head) -> _Last | None:
    """The last row of the log; None where it is empty."""
    if head.seq == 0:
        return None
    row = AuditEvent.objects.filter(seq=head.seq).values_list(*_ROW).first()
    return None if row is None else _Last(row[0], row[1], _signer(*row))


_ROW = ("seq", "key_id", "prev_hash", "text", "hash")


def _signer(seq: int, named: str, prev_hash: str, text: str, own_hash: str) -> str:
    """The id of the key of ours that has hashed a row, for its place; empty for none."""
    is_in_place = text.startswith(f'{{"seq":{seq},')
    for key in keys.every() if is_in_place else ():
        if key_id(key) == named and event_hash(key, prev_hash.encode(), text.encode()) == own_hash:
            return named
    return ""


def _look_past(head: Head, last: _Last) -> None:
    """Raise WrongKeyError unless an event of ours stands a little before what is none."""
    before = AuditEvent.objects.filter(seq__lte=head.seq).order_by("-seq").values_list(*_ROW)
    for row in (
        () if last.key_named in keys_that_followed() else before[:MOST_ROWS_THAT_ARE_NO_EVENTS]
    ):
        if _signer(*row):
            log.error("audit.last_row_is_no_event", extra={"seq": last.seq, "last_event": row[0]})
            return
    raise WrongKeyError(
        f"the last event of the log is under the key {last.key_named}, which is neither AUDIT_KEY "
        f"({key_id(keys.current())}) nor one of AUDIT_KEYS_RETIRED: AUDIT_KEY is wrong, or the key "
        "before it is missing there"
    )


def _is_swapped(own: str, last: _Last) -> bool:
    """Whether AUDIT_KEY served before the last event's key, and has not followed it since."""
    return not _naming(f"AUDIT_KEY {own} after") and _stood_before(own, last.seq)


def _stood_before(own: str, seq: int) -> bool:
    """Whether events before this one are under the key: looks at a few, as keys stand in rows."""
    while seq > 0:
        if (named := _key_of(seq)) == own:
            return True
        # The first of this row, by halving: before it another key stands.
        low, high = 1, seq
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if _key_of(middle) == named else (middle + 1, high)
        seq = low - 1
    return False


def _key_of(seq: int) -> str | None:
    return AuditEvent.objects.filter(seq=seq).values_list("key_id", flat=True).first()


def _naming(words: str) -> list[tuple[int, str, str, str, str, str]]:
    """Rows that name a key with these words: there are few of their action."""
    named = AuditEvent.objects.filter(
        action=Action.SETTINGS_CHANGED, subject__startswith="AUDIT_KEY ", subject__contains=words
    )
    return list(named.order_by("seq").values_list(*_ROW, "subject"))
