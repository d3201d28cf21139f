"""The chain's head: one row, which whoever writes the next event holds until their commit."""

from datetime import datetime

from django.db import connection

from portal.audit.chain import Head
from portal.models import AuditHead

_LOCK = {
    # The clock is read when the row is ours, so that times ascend like numbers.
    "postgresql": "SELECT seq, hash, clock_timestamp() FROM portal_audithead FOR NO KEY UPDATE",
    # Transactions begin by taking the one writer's lock here.
    "sqlite": "SELECT seq, hash, strftime('%Y-%m-%d %H:%M:%f+00:00', 'now') FROM portal_audithead",
}


class HeadMissingError(Exception):
    """The audit log has lost its head: somebody deleted the row, or the database is not migrated.

    Without it nothing can be recorded, and so nothing can be done.
    """


def lock_head() -> tuple[Head, datetime]:
    """The head, locked until the transaction ends, and the time by the database's clock.

    Take no other lock after it: whoever held that one could be waiting for the head. Raises
    HeadMissingError.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK[connection.vendor])
        row = cursor.fetchone()
    if row is None:
        raise HeadMissingError("the audit log's head is missing: run manage.py verify_audit")
    seq, last_hash, now = row
    return Head(seq, last_hash), datetime.fromisoformat(now) if isinstance(now, str) else now


def move_head(head: Head) -> None:
    """Store the locked head."""
    AuditHead.objects.update(seq=head.seq, hash=head.hash)


def read_head() -> Head:
    """The head as it is now. Raises HeadMissingError."""
    row = AuditHead.objects.values_list("seq", "hash").first()
    if row is None:
        raise HeadMissingError("the audit log's head is missing: run manage.py verify_audit")
    return Head(*row)
