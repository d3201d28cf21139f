"""The sandbox's memory: one SQLite file. It survives a kill; a power cut may cost a moment.

The server runs in one thread and nothing that touches the database awaits, so no two requests
interleave inside a step. Times are epoch seconds.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

SCHEMA_VERSION = 1

# Ids count from the start in every workspace, as in the Grafana behind each, and never come twice.
_SCHEMA = """
CREATE TABLE clock (advanced_seconds REAL NOT NULL) STRICT;
INSERT INTO clock VALUES (0);
CREATE TABLE workspaces (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    grafana_version TEXT NOT NULL,
    created REAL NOT NULL,
    modified REAL NOT NULL,
    last_account_id INTEGER NOT NULL DEFAULT 1,
    last_token_id INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE service_accounts (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    is_disabled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, name)
) STRICT;
CREATE TABLE tokens (
    workspace_id TEXT NOT NULL,
    id INTEGER NOT NULL,
    service_account_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    created REAL NOT NULL,
    expires REAL NOT NULL,
    last_used REAL,
    key_sha256 TEXT NOT NULL UNIQUE,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, name),
    FOREIGN KEY (workspace_id, service_account_id)
        REFERENCES service_accounts (workspace_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX tokens_by_account ON tokens (workspace_id, service_account_id, id);
"""


class DataFileError(Exception):
    """The data file can't be used; the message says why in one line."""


class NameTakenError(Exception):
    """The workspace has a service account, or a token, of that name."""


class Database:
    """The opened data file; `path` may be ``:memory:``. Raises DataFileError."""

    def __init__(self, path: str) -> None:
        try:
            self.connection = sqlite3.connect(path, isolation_level=None)
            is_new = not self._value("SELECT count(*) FROM sqlite_schema")
            version = self._value("PRAGMA user_version")
            if is_new or version == SCHEMA_VERSION:
                self._prepare(is_new)
                return
        except sqlite3.Error as error:
            raise DataFileError(f"{path}: {error}") from error
        raise DataFileError(f"{path} is not a data file of this sandbox; move it away")

    def _prepare(self, is_new: bool) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            self.connection.execute(f"PRAGMA {pragma}")
        if is_new:
            self.connection.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )

    def close(self) -> None:
        self.connection.close()

    def erase(self) -> None:
        """Forget everything, as if the file were new."""
        with self.transaction():
            self.connection.execute("DELETE FROM workspaces")
            self.connection.execute("UPDATE clock SET advanced_seconds = 0")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one inside another is part of it."""
        self.connection.execute("SAVEPOINT step")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK TO step")
            raise
        finally:
            self.connection.execute("RELEASE step")

    @contextmanager
    def unique_names(self) -> Iterator[None]:
        """Turn a name that the workspace already has into NameTakenError."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                raise
            raise NameTakenError from None

    @property
    def advanced_seconds(self) -> float:
        """How far the clock was moved ahead, over all runs on this file."""
        return self._value("SELECT advanced_seconds FROM clock")

    def advance_clock(self, seconds: float) -> None:
        self.connection.execute(
            "UPDATE clock SET advanced_seconds = advanced_seconds + ?", [seconds]
        )

    def _value(self, query: str) -> float:
        value: float = self.connection.execute(query).fetchone()[0]
        return value
