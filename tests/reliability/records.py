"""The product's own rows, read from outside: what it has written, not what it says it has.

Also the one thing that a test does to the database: hold the lock that a worker needs to store what
AWS has answered.
"""

import contextlib
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from tests.product import Product


@dataclass(frozen=True, slots=True)
class Row:
    """A token's row, as far as it matters here."""

    id: str
    name: str
    state: str
    attempt: int
    aws_token_id: str
    unresolved: bool


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the audit log, about a token."""

    seq: int
    at: datetime
    action: str
    token_id: str
    workspace: str
    aws_token_id: str
    aws_request_id: str


class Records:
    """The database of a running product, on either stack."""

    def __init__(self, product: Product) -> None:
        self._url = product.environment.get("DATABASE_URL", "")
        self._file = product.data_dir / "portal.sqlite3"

    def token(self, token_id: str) -> Row:
        """One row. Raises LookupError when there is none."""
        found = self._tokens(" WHERE id = ?", self._id(token_id))
        if not found:
            raise LookupError(token_id)
        return found[0]

    def tokens(self, *, name: str | None = None) -> list[Row]:
        """Every row, or those of one name."""
        return self._tokens(" WHERE name = ?", name) if name else self._tokens("")

    def events(self) -> list[Event]:
        """Every event about a token, in the log's order."""
        found = self._read(
            "SELECT seq, at, action, token_id, workspace, aws_token_id, aws_request_id"
            " FROM portal_auditevent WHERE token_id IS NOT NULL ORDER BY seq"
        )
        return [
            Event(seq, _moment(at), action, _text(token_id), workspace, aws_token_id, request_id)
            for seq, at, action, token_id, workspace, aws_token_id, request_id in found
        ]

    def set_password_hash(self, emails: list[str], password_hash: str) -> None:
        """Give people a password that is theirs alone in this database."""
        marks = ", ".join(["?"] * len(emails))
        query = f"UPDATE portal_user SET password = ? WHERE email IN ({marks})"
        with contextlib.closing(self._connect()) as connection, connection:
            connection.execute(self._in_dialect(query), (password_hash, *emails))

    @contextlib.contextmanager
    def held(self, token_id: str) -> Iterator[None]:
        """Nobody else can write this row: on SQLite, which has one lock, nobody can write at all.

        Whoever tries waits, for up to 20 seconds on SQLite.
        """
        with contextlib.closing(self._connect()) as connection:
            if isinstance(connection, sqlite3.Connection):
                connection.execute("BEGIN IMMEDIATE")
            else:
                query = "SELECT 1 FROM portal_token WHERE id = %s FOR UPDATE"
                connection.execute(query, (self._id(token_id),))
            yield
            connection.rollback()

    def _tokens(self, where: str, *values: Any) -> list[Row]:
        found = self._read(
            "SELECT id, name, state, attempt, aws_token_id, unresolved_since IS NOT NULL"
            f" FROM portal_token{where} ORDER BY created_at, id",
            *values,
        )
        return [
            Row(_text(pk), name, state, attempt, aws_token_id, bool(unresolved))
            for pk, name, state, attempt, aws_token_id, unresolved in found
        ]

    def _read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with contextlib.closing(self._connect()) as connection:
            return list(connection.execute(self._in_dialect(query), values).fetchall())

    def _connect(self) -> Any:
        if self._url:
            return psycopg.connect(self._url)
        connection = sqlite3.connect(self._file, timeout=30, isolation_level=None)
        connection.execute("PRAGMA busy_timeout = 30000")
        return connection

    def _in_dialect(self, query: str) -> str:
        return query.replace("?", "%s") if self._url else query

    def _id(self, token_id: str) -> Any:
        return uuid.UUID(token_id) if self._url else uuid.UUID(token_id).hex


def _text(token_id: Any) -> str:
    return str(uuid.UUID(str(token_id)))


def _moment(at: Any) -> datetime:
    return at if isinstance(at, datetime) else datetime.fromisoformat(at)
