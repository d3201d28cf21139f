"""Connections to PostgreSQL that are kept between requests, and none that is stale.

A connection that the server has ended, or that leads to a server which takes no writes any more, is
never handed out. New ones are made by whoever needs one, at once: while the server is away nobody
waits for long, and the first who asks after it is back is served.
"""

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, TransactionStatus

QUIET_SECONDS = 10.0
"""After so long without use a connection is tried first: a host that has vanished ends none."""
LONGEST_LIFE = 3600.0
LONGEST_IDLE = 600.0
"""Seconds."""
PATIENCE = 2.0
"""Seconds from the first failure to connect during which everybody tries again: a server that is
restarted is back by then. After that each asks once."""
PAUSE = 0.1
READ_ONLY_SECONDS = 1.0
"""How long a new connection to a server that takes no writes is used before it is made anew: its
name may lead to another server by now."""

Connection = psycopg.Connection[Any]


class Kept:
    """A connection and its times, by the monotonic clock."""

    __slots__ = ("connection", "made", "used")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.made = self.used = time.monotonic()

    def is_fresh(self, now: float) -> bool:
        """Whether it leads to a server that works, as far as can be told without asking.

        The server is asked when it has said something, or when nobody has used this for a while.
        """
        connection = self.connection
        if connection.pgconn.status != ConnStatus.OK or now - self.made > LONGEST_LIFE:
            return False
        if takes_no_writes(connection) and now - self.made > READ_ONLY_SECONDS:
            return False
        if now - self.used < QUIET_SECONDS and not _has_news(connection):
            return True
        try:
            connection.execute("")
        except psycopg.Error:
            return False
        return True


def takes_no_writes(connection: Connection) -> bool:
    """Whether the server has said that it is a standby, or made read-only (from version 14 on)."""
    said = connection.pgconn.parameter_status
    return b"on" in (said(b"in_hot_standby"), said(b"default_transaction_read_only"))


def _has_news(connection: Connection) -> bool:
    """Whether the server has sent something unasked, or has hung up; takes about a microsecond."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


class Pool:
    """At most ``size`` connections that ``connect`` makes.

    ``timeout`` is how many seconds one may wait for another to give a connection back.
    """

    close_returns = False
    """Read by psycopg: closing a connection closes it."""

    def __init__(self, connect: Callable[[], Connection], *, size: int, timeout: float) -> None:
        self._connect = connect
        self._size = size
        self._timeout = timeout
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._places = threading.BoundedSemaphore(self._size)
        self._idle: deque[Kept] = deque()
        self._lent: dict[int, Kept] = {}
        self._away_since: float | None = None

    def open(self) -> None:
        """Django asks for this before every connection; a process that was forked begins anew."""
        if self._pid != os.getpid():
            self._begin()  # libpq leaves the parent's connections alone

    def getconn(self) -> Connection:
        """A connection that works. Raises psycopg.OperationalError where there is none."""
        if not self._places.acquire(timeout=self._timeout):
            raise psycopg.OperationalError(
                f"all {self._size} connections of this process are in use"
            )
        try:
            kept = self._from_idle() or Kept(self._new())
        except BaseException:
            self._places.release()
            raise
        kept.connection._pool = self  # type: ignore[assignment]  # where Django returns it to
        self._lent[id(kept.connection)] = kept
        return kept.connection

    def putconn(self, connection: Connection) -> None:
        """Take a connection back; closes what is broken, and rolls back what was left open."""
        kept = self._lent.pop(id(connection), None)
        connection._pool = None
        if kept is None:  # lent before a fork, or before the pool was closed
            connection.close()
            return
        try:
            if _is_idle(connection):
                kept.used = time.monotonic()
                self._idle.append(kept)
            else:
                connection.close()
            self._close_unused()
        finally:
            self._places.release()

    def close(self) -> None:
        """Close what nobody uses; what is lent is closed when it is given back."""
        self._lent = {}
        while self._idle:
            self._idle.pop().connection.close()

    def _from_idle(self) -> Kept | None:
        """The one used last that works: so those beyond what is needed grow old."""
        while True:
            try:
                kept = self._idle.pop()
            except IndexError:
                return None
            if kept.is_fresh(time.monotonic()):
                return kept
            kept.connection.close()

    def _close_unused(self) -> None:
        with contextlib.suppress(IndexError):
            while time.monotonic() - self._idle[0].used > LONGEST_IDLE:
                self._idle.popleft().connection.close()

    def _new(self) -> Connection:
        while True:
            try:
                made = self._connect()
            except psycopg.OperationalError:
                now = time.monotonic()
                self._away_since = self._away_since or now
                if now - self._away_since > PATIENCE:
                    raise
                time.sleep(PAUSE)
            else:
                self._away_since = None
                return made


def _is_idle(connection: Connection) -> bool:
    """Whether the next one can use it; rolls back a transaction that was left open."""
    try:
        if connection.pgconn.transaction_status in (
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
        ):
            connection.rollback()
    except psycopg.Error:
        return False
    return bool(connection.pgconn.transaction_status == TransactionStatus.IDLE)
