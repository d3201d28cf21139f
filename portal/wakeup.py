"""Tells a waiting web process that a token changed.

A doorbell, never the truth: a lost ring costs a waiter at most its re-check interval. Messages
carry a token's id and nothing else. Publishers and the one listener of a process connect on first
use, hence after fork.
"""

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Iterator

import redis
from django.conf import settings

from portal import valkey
from portal.incidents import Incident

CHANNEL = "portal:token-changed"
MOST_WAITING = 18
"""Long polls at a time in one web process: a little below its threads, so that pages still load."""
MOST_WAITING_PER_PERSON = 8
"""Of those, for one person: they run over four processes, so about 32 in all."""
RECONNECT_SECONDS = 1.0

_incident = Incident("wakeup")


class _Listener:
    """One subscription for all who wait in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[uuid.UUID, set[threading.Event]] = {}
        self._people: dict[int, int] = {}
        self._count = 0
        self._thread_of_pid: int | None = None

    @contextlib.contextmanager
    def place(self, token_id: uuid.UUID, person_id: int) -> Iterator[threading.Event | None]:
        bell = threading.Event()
        with self._lock:
            if (
                self._count >= MOST_WAITING
                or self._people.get(person_id, 0) >= MOST_WAITING_PER_PERSON
            ):
                admitted = False
            else:
                admitted = True
                self._count += 1
                self._people[person_id] = self._people.get(person_id, 0) + 1
                self._waiting.setdefault(token_id, set()).add(bell)
                self._start_thread_once()
        if not admitted:
            yield None
            return
        try:
            yield bell
        finally:
            with self._lock:
                self._count -= 1
                self._people[person_id] -= 1
                if not self._people[person_id]:
                    del self._people[person_id]
                bells = self._waiting[token_id]
                bells.discard(bell)
                if not bells:
                    del self._waiting[token_id]

    def _start_thread_once(self) -> None:
        if self._thread_of_pid != os.getpid():
            self._thread_of_pid = os.getpid()
            threading.Thread(target=self._listen, name="wakeup", daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                with (
                    settings.CACHE.connect(socket_connect_timeout=1) as server,
                    server.pubsub(ignore_subscribe_messages=True) as subscription,
                ):
                    subscription.subscribe(CHANNEL)
                    _incident.over()
                    for message in subscription.listen():
                        self._wake(message["data"])
            except redis.RedisError as error:
                _incident.note(error, is_misconfigured=valkey.is_misconfigured(error))
                time.sleep(RECONNECT_SECONDS)

    def _wake(self, data: bytes) -> None:
        with contextlib.suppress(ValueError):
            token_id = uuid.UUID(data.decode("ascii", "replace"))
            with self._lock:
                for bell in self._waiting.get(token_id, ()):
                    bell.set()


_listener = _Listener()


@contextlib.contextmanager
def waiting(token_id: uuid.UUID, *, person_id: int) -> Iterator[threading.Event | None]:
    """An event that is set when the token changes; None when too many wait already.

    Enter first, then read the row, then wait: a change between the two is not missed.
    """
    with _listener.place(token_id, person_id) as bell:
        yield bell


def publish(*token_ids: uuid.UUID) -> None:
    """Wake whoever waits for these tokens. Never raises: a broker that is away wakes nobody."""
    try:
        server = valkey.client(settings.CACHE)
        for token_id in token_ids:
            server.publish(CHANNEL, str(token_id))
        _incident.over()
    except redis.RedisError as error:
        _incident.note(error, is_misconfigured=valkey.is_misconfigured(error))
