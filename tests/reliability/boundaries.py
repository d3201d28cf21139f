"""Every point at which a process can die: whatever it does that somebody else could notice.

A point lies before each statement, before and after each commit, before each call to AWS and after
its answer, before each command to Redis, and before each message to a worker. They are found by
counting, so that a new one counts from the day on which it is written.
"""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from portal import tasks
from tests.reliability.world import FLOWS, Killed, Message, World


class Boundaries:
    """The points that one run passes, and what happens at one of them."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self._at = 0
        self._happens: Callable[[], object] | None = None
        self._dies = True
        self._thread: int | None = None
        self._is_dead = False

    def run(
        self,
        act: Callable[[], object],
        *,
        at: int,
        happens: Callable[[], object] | None = None,
        dies: bool = True,
    ) -> bool:
        """Whether the act has a point number ``at``.

        There something else happens, unless a transaction is open, and then the process dies, or
        goes on.
        """
        self.passed, self._at, self._happens, self._dies = [], at, happens, dies
        self._is_dead, self._thread = False, threading.get_ident()
        try:
            with contextlib.suppress(Killed):
                act()
        finally:
            self._thread = None
        return at < len(self.passed)

    def reach(self, what: str, *, in_transaction: bool | None = None) -> None:
        if threading.get_ident() != self._thread:
            return
        if self._is_dead:
            # What a handler of ours would still do, a process that was killed does not.
            raise Killed
        self.passed.append(what)
        if len(self.passed) - 1 == self._at:
            self._stop_here(
                connection.in_atomic_block if in_transaction is None else in_transaction
            )

    def _stop_here(self, in_transaction: bool) -> None:
        if self._happens is not None:
            if in_transaction:
                return
            thread, self._thread = self._thread, None
            self._happens()
            self._thread = thread
        if self._dies:
            self._is_dead = True
            if connection.connection is not None:
                # The database takes back what a dead process has not committed.
                connection.connection.rollback()
            raise Killed


@contextlib.contextmanager
def watched_boundaries(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Boundaries]:
    """The points of whatever runs in this thread. Messages to workers lie in the world's broker."""
    points = Boundaries()
    send, command, commit = (
        HTTPAdapter.send,
        redis.connection.AbstractConnection.send_packed_command,
        BaseDatabaseWrapper.commit,
    )

    def statement(execute: Callable[..., object], sql: str, *rest: object) -> object:
        points.reach(" ".join(sql.split()[:3]))
        return execute(sql, *rest)

    def watched_commit(self: BaseDatabaseWrapper) -> None:
        # Django takes itself for outside of the block by now, and has yet to say so to PostgreSQL.
        points.reach("before the commit", in_transaction=True)
        commit(self)
        points.reach("after the commit", in_transaction=True)

    def watched_send(self: HTTPAdapter, request: PreparedRequest, **how: Any) -> Response:
        points.reach(f"before {request.method}")
        response = send(self, request, **how)
        try:
            points.reach(f"after {request.method}")
        except Killed:
            response.close()
            raise
        return response

    def watched_command(self: Any, packed: Any, *rest: Any, **how: Any) -> None:
        points.reach("Redis")
        command(self, packed, *rest, **how)  # type: ignore[no-untyped-call]

    def message(delay: Any, argument: Any) -> bool:
        points.reach("message")
        task = delay.__self__.name.removeprefix("portal.")
        if task == "prune":
            world.broker.append(Message(task, argument))
        elif task in FLOWS:
            world.broker.append(Message(task, uuid.UUID(argument)))
        return True

    monkeypatch.setattr(HTTPAdapter, "send", watched_send)
    monkeypatch.setattr(redis.connection.AbstractConnection, "send_packed_command", watched_command)
    monkeypatch.setattr(BaseDatabaseWrapper, "commit", watched_commit)
    monkeypatch.setattr(tasks, "_send", message)
    with connection.execute_wrapper(statement):
        yield points
