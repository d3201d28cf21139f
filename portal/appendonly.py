"""The database refuses to change or delete an event of the audit log, whoever asks.

Triggers do that; the table's owner can drop them, and then the chain tells what was done
(portal/audit/verify.py). They are put up after every migration, because Django rebuilds tables on
SQLite and loses them, and their presence is checked at every start.
"""

import sys
from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

NAME = "portal_audit_append_only"
REFUSED = "the audit log is append-only: its events can be neither changed nor deleted"

TRIGGERS = {
    "postgresql": [NAME],
    "sqlite": [f"{NAME}_update", f"{NAME}_delete", f"{NAME}_replace", f"{NAME}_rowid"],
}

_STANDING = {
    "postgresql": """
        SELECT tgname FROM pg_trigger
        WHERE tgrelid = to_regclass('portal_auditevent') AND tgenabled = 'A'
    """,
    "sqlite": """
        SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'portal_auditevent'
    """,
}
_PUT_UP = {
    "postgresql": (
        f"""
        CREATE OR REPLACE FUNCTION portal_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '{REFUSED} (% of portal_auditevent)', TG_OP
                USING ERRCODE = 'integrity_constraint_violation';
        END
        $$
        """,
        f"DROP TRIGGER IF EXISTS {NAME} ON portal_auditevent",
        f"""
        CREATE TRIGGER {NAME} BEFORE UPDATE OR DELETE OR TRUNCATE ON portal_auditevent
            FOR EACH STATEMENT EXECUTE FUNCTION portal_audit_refuse()
        """,
        # In a replicating session too, in which triggers rest otherwise.
        f"ALTER TABLE portal_auditevent ENABLE ALWAYS TRIGGER {NAME}",
    ),
    "sqlite": (
        *(
            f"""
            CREATE TRIGGER IF NOT EXISTS {NAME}_{verb} BEFORE {verb} ON portal_auditevent
            BEGIN SELECT RAISE(ABORT, '{REFUSED} ({verb} of portal_auditevent)'); END
            """
            for verb in ("update", "delete")
        ),
        # INSERT OR REPLACE deletes without a word where recursive_triggers is off: what has this
        # seq, and what has this number of SQLite's own (-1 unless a statement names one).
        *(
            f"""
            CREATE TRIGGER IF NOT EXISTS {NAME}_{what} BEFORE INSERT ON portal_auditevent
            WHEN EXISTS (SELECT 1 FROM portal_auditevent WHERE {column} = NEW.{column})
            BEGIN
                SELECT RAISE(ABORT, 'the audit log is append-only: this event has been written');
            END
            """  # noqa: S608 (names alone)
            for what, column in (("replace", "seq"), ("rowid", "rowid"))
        ),
    ),
}
_START_AN_EMPTY_LOG = """
    INSERT INTO portal_audithead (id, seq, hash)
    SELECT 1, 0, '0000000000000000000000000000000000000000000000000000000000000000'
    WHERE NOT EXISTS (SELECT 1 FROM portal_audithead)
      AND NOT EXISTS (SELECT 1 FROM portal_auditevent)
"""


def put_up(*, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Put up what is missing; Django calls this after every migrate and flush.

    A log without any event gets its head too: a flush, which tests alone do, has deleted it.
    """
    connection = connections[using]
    if not _is_migrated(connection):
        return
    with connection.cursor() as cursor:
        if missing(connection):
            for statement in _PUT_UP[connection.vendor]:
                cursor.execute(statement)
        cursor.execute(_START_AN_EMPTY_LOG)


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """The names of the triggers that do not stand, or are switched off."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING[connection.vendor])
        standing = {name for (name,) in cursor.fetchall()}
    return [name for name in TRIGGERS[connection.vendor] if name not in standing]


def check(*, databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """The system check. A warning, because ``migrate`` must be able to mend it."""
    return [
        checks.Warning(
            f"The audit log can be changed: {', '.join(found)} is not there.",
            hint="Run manage.py migrate as the table's owner, then manage.py verify_audit.",
            id="portal.W001",
        )
        for alias in databases or ()
        if _is_migrated(connections[alias]) and (found := missing(connections[alias]))
    ]


def require() -> None:
    """End the process with one line unless the triggers stand; every start calls this.

    A database that does not answer yet is waited for by whoever needs it, not here.
    """
    connection: Any = connections[DEFAULT_DB_ALIAS]
    try:
        problems = check(databases=[DEFAULT_DB_ALIAS])
    except OperationalError:
        return
    finally:
        # Whoever starts may fork next, and neither connections nor pools survive that.
        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()
    for problem in problems:
        sys.exit(f"portal: {problem.msg} {problem.hint}")


def _is_migrated(connection: BaseDatabaseWrapper) -> bool:
    """Whether there is a chain, and not only what was before it."""
    return "portal_audithead" in connection.introspection.table_names()
