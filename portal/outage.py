"""The database can't be used: which errors say so, and what they are called."""

import errno
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import Error, InterfaceError, OperationalError, connection, transaction

from portal.incidents import Incident, one_line
from portal.room import without_room

FULL = "53100"
READ_ONLY = "25006"
"""SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""
_SQLITE_TAKES_NO_WRITES = ("database or disk is full", "readonly database")
_SQLITE_CAN_NOT_WRITE = (
    *("SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC"),
    *("SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHMSIZE"),
)
"""Its message is "disk I/O error" for a quota, and for a file that may not grow
(https://www.sqlite.org/rescode.html)."""
_ROOM = 256 * 1024
"""Bytes. With less it is luck whether the next form can be saved."""

_MARK = "database-takes-no-writes"
_MARK_SECONDS = 60
"""For how long a write that had no room is told to monitors, whichever process they ask."""
_IS_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on'"
_SORT_ON_DISK = """
    SELECT count(*) FROM (
        SELECT repeat(md5(n::text), 8) AS text FROM generate_series(1, 1000) AS n
        ORDER BY text OFFSET 0
    ) AS sorted
"""
"""A quarter of a megabyte, which does not fit the memory that it is given: PostgreSQL writes it to
a file, and needs no right, no lock and no journal for that."""

_OF_THE_DISK = (
    *(errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    *(errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EFBIG, errno.EIO),
)
_HINTS = {
    FULL: " (make room on the server's disk)",
    "42501": " (apply deploy/postgresql_runtime_role.sql as the owner)",
    "42P01": " (run manage.py migrate as the owner)",
    "42703": " (run manage.py migrate as the owner)",
    "3F000": " (run manage.py migrate as the owner)",
}
"""Rights, tables, columns or a schema that are missing."""
_SQLITE_IS_NOT_MIGRATED = ("no such table", "no such column")

_away = Incident("database")
_no_writes = Incident("database.writes")


def is_outage(error: BaseException | None) -> bool:
    """Whether the database could not do what it was asked, and may be able to later."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, Error) and takes_no_writes(error)


def takes_no_writes(error: BaseException) -> bool:
    """Whether it could still be read: it is full, or is a standby by now."""
    return (
        sqlstate(error) in (FULL, READ_ONLY)
        or getattr(error.__cause__, "sqlite_errorname", "") in _SQLITE_CAN_NOT_WRITE
        or any(words in str(error) for words in _SQLITE_TAKES_NO_WRITES)
    )


def _has_no_room(error: BaseException) -> bool:
    return takes_no_writes(error) and not sqlstate(error) and "readonly" not in str(error)


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code of an error that Django has wrapped; empty where there is none."""
    return str(getattr(error.__cause__, "sqlstate", None) or "")


def is_on() -> bool:
    """Whether this process has met an outage that is not over, as far as it knows."""
    return _away.is_on or _no_writes.is_on


def note(error: BaseException) -> None:
    """Log it, once an incident, and see to it that nobody is handed this connection again."""
    if takes_no_writes(error):
        _no_writes.note(error)
        cache.set(_MARK, sqlstate(error) != READ_ONLY, _MARK_SECONDS)
    else:
        _away.note(error)
    if connection.connection is not None and not connection.in_atomic_block:
        raw: Any = connection.connection
        raw.close()
        connection.close()


def over(*, has_written: bool) -> None:
    """The database has answered; that it can be read is no news where it took no writes."""
    _away.over()
    if has_written and _no_writes.is_on:
        _no_writes.over()
        cache.delete(_MARK)


def database_takes_writes() -> bool:
    """Whether there is room, and no standby or administrator against it. Takes a millisecond.

    Raises OperationalError or InterfaceError where there is no database at all.
    """
    if cache.get(_MARK):
        return False
    if connection.vendor == "sqlite":
        file = Path(connection.settings_dict["NAME"])
        return not file.is_file() or without_room(file.parent, _ROOM) is None
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_IS_READ_ONLY)
            [is_read_only] = cursor.fetchone()
            cursor.execute("SET LOCAL work_mem = '64kB'")
            cursor.execute(_SORT_ON_DISK)
    except Error as error:
        if not takes_no_writes(error):
            raise
        return False
    return not is_read_only


def of_a_command(error: Exception) -> str | None:
    """One line for whoever typed a command that met this error: what, where, why.

    None where the error speaks of a mistake of ours, of which a traceback tells more.
    """
    if isinstance(error, Error):
        if is_outage(error) or sqlstate(error) in _HINTS:
            is_old = str(error).startswith(_SQLITE_IS_NOT_MIGRATED)
            hint = _HINTS["42P01"] if is_old else _HINTS.get(sqlstate(error), "")
            if _has_no_room(error):
                hint = " (make room on its disk, or raise this user's quota)"
            return f"portal: the database can't be used ({_where()}): {one_line(error)}{hint}"
        return None
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        path = f" ({error.filename})" if error.filename else ""
        return f"portal: a file can't be used{path}: {error.strerror}"
    return None


def _where() -> str:
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"SQLite, {settings['NAME']}"
    host, port = settings["HOST"] or "the local socket", settings["PORT"] or 5432
    return f"PostgreSQL, {host} port {port}, database {settings['NAME']}, user {settings['USER']}"
