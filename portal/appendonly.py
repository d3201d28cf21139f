"""The database refuses to change or delete an event of the audit log, whoever asks.

It also refuses an event that does not follow the last one, or whose head does not come with it, and
a head that is not the last event: either would stop every action after it (docs/decisions/0023).
Triggers do that; the table's owner can drop them, and then the chain tells what was done
(portal/audit/verify.py). They are put up after every migration, because Django rebuilds tables on
SQLite and loses them, and their presence is checked at every start.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.core import checks
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

NAME = "portal_audit_append_only"
REFUSED = "the audit log is append-only: its events can be neither changed nor deleted"
NOT_NEXT = "the audit log is append-only: it takes the next event alone, together with its head"
NOT_LAST = "the head of the audit log is its last event"

_EVENTS, _HEAD = "portal_auditevent", "portal_audithead"
_FOLLOWS, _LAST = "portal_audit_event_follows", "portal_audit_head_is_last"
_GENESIS = "0" * 64

TRIGGERS = {
    "postgresql": {NAME: _EVENTS, _FOLLOWS: _EVENTS, _LAST: _HEAD},
    "sqlite": {
        **{f"{NAME}_{what}": _EVENTS for what in ("update", "delete", "replace", "rowid")},
        _FOLLOWS: _EVENTS,
        f"{_FOLLOWS}_head": _EVENTS,
        _LAST: _HEAD,
    },
}
"""The names of the triggers, and on which table each stands."""

_STANDING = {
    "postgresql": f"""
        SELECT tgname FROM pg_trigger WHERE tgenabled = 'A'
        AND tgrelid IN (to_regclass('{_EVENTS}'), to_regclass('{_HEAD}'))
    """,  # noqa: S608 (names alone)
    "sqlite": f"""
        SELECT name FROM sqlite_master
        WHERE type = 'trigger' AND tbl_name IN ('{_EVENTS}', '{_HEAD}')
    """,  # noqa: S608 (names alone)
}
# On PostgreSQL an event and its head are written by one statement, at whose end both triggers look.
# Tables are named with their schema: a temporary table of the same name must not stand for one.
_PUT_UP_ON_POSTGRESQL = (
    # Whoever writes locks these in the same order.
    f"LOCK TABLE {_HEAD} IN SHARE ROW EXCLUSIVE MODE",
    f"LOCK TABLE {_EVENTS} IN SHARE ROW EXCLUSIVE MODE",
    f"""
    CREATE OR REPLACE FUNCTION portal_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '{REFUSED} (% of {_EVENTS})', TG_OP
            USING ERRCODE = 'integrity_constraint_violation';
    END
    $$
    """,
    f"""
    CREATE OR REPLACE TRIGGER {NAME} BEFORE UPDATE OR DELETE OR TRUNCATE ON {_EVENTS}
        FOR EACH STATEMENT EXECUTE FUNCTION portal_audit_refuse()
    """,
    f"""
    CREATE OR REPLACE FUNCTION portal_audit_follow() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.prev_hash IS DISTINCT FROM (CASE NEW.seq WHEN 1 THEN '{_GENESIS}' ELSE
            (SELECT hash FROM SCHEMA.{_EVENTS} WHERE seq = NEW.seq - 1) END)
        OR NOT EXISTS (SELECT FROM SCHEMA.{_HEAD} WHERE seq >= NEW.seq) THEN
            RAISE EXCEPTION '{NOT_NEXT} (event %)', NEW.seq
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NULL;
    END
    $$
    """,  # noqa: S608 (names alone)
    f"""
    CREATE OR REPLACE TRIGGER {_FOLLOWS} AFTER INSERT ON {_EVENTS}
        FOR EACH ROW EXECUTE FUNCTION portal_audit_follow()
    """,
    f"""
    CREATE OR REPLACE FUNCTION portal_audit_head() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM SCHEMA.{_EVENTS} WHERE seq = NEW.seq AND hash = NEW.hash)
        OR EXISTS (SELECT FROM SCHEMA.{_EVENTS} WHERE seq > NEW.seq) THEN
            RAISE EXCEPTION '{NOT_LAST} (not %)', NEW.seq
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NULL;
    END
    $$
    """,  # noqa: S608 (names alone)
    f"""
    CREATE OR REPLACE TRIGGER {_LAST} AFTER UPDATE ON {_HEAD}
        FOR EACH ROW EXECUTE FUNCTION portal_audit_head()
    """,
    # In a replicating session too, in which triggers rest otherwise.
    *(
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
        for name, table in TRIGGERS["postgresql"].items()
    ),
)
_SCHEMA = f"""
    SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = to_regclass('{_EVENTS}')
"""  # noqa: S608 (names alone)
_PUT_UP_ON_SQLITE = (
    *(
        f"""
        CREATE TRIGGER IF NOT EXISTS {NAME}_{verb} BEFORE {verb} ON {_EVENTS}
        BEGIN SELECT RAISE(ABORT, '{REFUSED} ({verb} of {_EVENTS})'); END
        """
        for verb in ("update", "delete")
    ),
    # INSERT OR REPLACE deletes without a word where recursive_triggers is off: what has this
    # seq, and what has this number of SQLite's own (-1 unless a statement names one).
    *(
        f"""
        CREATE TRIGGER IF NOT EXISTS {NAME}_{what} BEFORE INSERT ON {_EVENTS}
        WHEN EXISTS (SELECT 1 FROM {_EVENTS} WHERE {column} = NEW.{column})
        BEGIN
            SELECT RAISE(ABORT, 'the audit log is append-only: this event has been written');
        END
        """  # noqa: S608 (names alone)
        for what, column in (("replace", "seq"), ("rowid", "rowid"))
    ),
    f"""
    CREATE TRIGGER IF NOT EXISTS {_FOLLOWS} BEFORE INSERT ON {_EVENTS}
    WHEN NOT EXISTS (SELECT 1 FROM {_HEAD} WHERE seq = NEW.seq - 1 AND hash = NEW.prev_hash)
    BEGIN SELECT RAISE(ABORT, '{NOT_NEXT}'); END
    """,  # noqa: S608 (names alone)
    # Event and head are two statements there: the first one does both.
    f"""
    CREATE TRIGGER IF NOT EXISTS {_FOLLOWS}_head AFTER INSERT ON {_EVENTS}
    BEGIN UPDATE {_HEAD} SET seq = NEW.seq, hash = NEW.hash; END
    """,  # noqa: S608 (names alone)
    f"""
    CREATE TRIGGER IF NOT EXISTS {_LAST} BEFORE UPDATE ON {_HEAD}
    WHEN NOT EXISTS (SELECT 1 FROM {_EVENTS} WHERE seq = NEW.seq AND hash = NEW.hash)
        OR EXISTS (SELECT 1 FROM {_EVENTS} WHERE seq > NEW.seq)
    BEGIN SELECT RAISE(ABORT, '{NOT_LAST}'); END
    """,  # noqa: S608 (names alone)
)
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
        cursor.execute(_START_AN_EMPTY_LOG)
    if missing(connection):
        # At once: between two of these statements others may write.
        with transaction.atomic(using=using), connection.cursor() as cursor:
            for statement in _statements(connection):
                cursor.execute(statement)


def take_down(*, using: str = DEFAULT_DB_ALIAS, plan: Sequence[object], **_: Any) -> None:
    """Make way for a migration on SQLite; Django calls this before every migrate that has work.

    A table can't be made anew there while a trigger of another names it.
    """
    connection = connections[using]
    if plan and connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for name in TRIGGERS["sqlite"]:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


@contextmanager
def resting(*, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Within a transaction of the tables' owner: rows may be taken out."""
    connection = connections[using]
    take_down(using=using, plan=["what is done within"])
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {_EVENTS} DISABLE TRIGGER {NAME}")
    yield
    put_up(using=using)


def _statements(connection: BaseDatabaseWrapper) -> Sequence[str]:
    if connection.vendor != "postgresql":
        return _PUT_UP_ON_SQLITE
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMA)
        [schema] = cursor.fetchone()
    return [statement.replace("SCHEMA.", f"{schema}.") for statement in _PUT_UP_ON_POSTGRESQL]


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
    try:
        problems = check(databases=[DEFAULT_DB_ALIAS])
    except OperationalError:
        return
    for problem in problems:
        sys.exit(f"portal: {problem.msg} {problem.hint}")


def close() -> None:
    """Leave no connection and no pool: whoever starts may fork next, and neither survives that."""
    connection: Any = connections[DEFAULT_DB_ALIAS]
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()


def _is_migrated(connection: BaseDatabaseWrapper) -> bool:
    """Whether there is a chain, and not only what was before it."""
    return "portal_audithead" in connection.introspection.table_names()
