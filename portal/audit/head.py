"""The chain's head: one row, which whoever writes the next event holds until their commit."""

from datetime import datetime

from django.db import DatabaseError, connection

from portal.audit.chain import Head

_READ = {
    "postgresql": "SELECT seq, hash, key_id, clock_timestamp() FROM portal_audithead",
    "sqlite": """
        SELECT seq, hash, key_id, strftime('%Y-%m-%d %H:%M:%f+00:00', 'now') FROM portal_audithead
    """,
}
# PostgreSQL reads its clock when the row is ours, so that times ascend like numbers. SQLite's
# transactions begin by taking the one lock there is.
_LOCK = {**_READ, "postgresql": f"{_READ['postgresql']} FOR NO KEY UPDATE"}


class HeadMissingError(DatabaseError):
    """The audit log has lost its head: somebody deleted the row, or the database is not migrated.

    Without it nothing can be recorded, and so nothing can be done.
    """


def lock_head() -> tuple[Head, datetime]:
    """The head, locked until the transaction ends, and the time by the database's clock.

    Take no other lock after it: whoever held that one could be waiting for the head. Raises
    HeadMissingError.
    """
    head, at, _ = lock_head_and_key()
    return head, at


def lock_head_and_key() -> tuple[Head, datetime, str]:
    """Likewise, and the id of the key of the last event that this version or a later one wrote."""
    return _fetch(_LOCK[connection.vendor])


def read_head() -> tuple[Head, datetime]:
    """The head as it is now, and the time by the database's clock. Raises HeadMissingError."""
    head, at, _ = _fetch(_READ[connection.vendor])
    return head, at


def _fetch(query: str) -> tuple[Head, datetime, str]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    if row is None:
        raise HeadMissingError("the audit log's head is missing: run manage.py verify_audit")
    seq, last_hash, key, now = row
    return Head(seq, last_hash), datetime.fromisoformat(now) if isinstance(now, str) else now, key
