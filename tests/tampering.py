"""What the audit log's owner can do to it underneath: take the triggers down, and write at will."""

from django.db import connection

from portal.appendonly import NAME


def take_down_triggers() -> None:
    """Take the triggers down that keep events from being changed."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"DROP TRIGGER IF EXISTS {NAME} ON portal_auditevent")
            return
        for verb in ("update", "delete", "replace"):
            cursor.execute(f"DROP TRIGGER IF EXISTS {NAME}_{verb}")
