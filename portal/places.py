"""How many of a worker's places one connection may fill: one that hangs leaves room for others.

A call to AWS may take 10 s, one to STS twice that, and a worker has a dozen places. With several
connections none fills all of them: what finds no place is put aside, and whoever leaves a place
takes up the next. With one connection there is nothing to share, and nothing is asked.

The state lies in Valkey or Redis, for each host. While that is away nobody is put aside. Nothing
depends on what is put aside here: it is queued in the database, and the sweep rings for it again.
"""

import os
import socket
import time
import uuid
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db.models import Exists, OuterRef

from portal import valkey
from portal.incidents import Incident
from portal.models import Connection, Workspace

HELD_FOR = 35
"""Seconds after which a place is free whatever became of its holder: a task runs for 30 at most."""
PUT_ASIDE_FOR = 3600
"""Seconds."""
COUNTED_EVERY = 60.0
"""Seconds."""

_incident = Incident("places")

# KEYS: the places of a connection on this host, and what is put aside for it on any host.
_TAKE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + ARGV[2], '+inf')
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
  redis.call('ZADD', KEYS[2], 'NX', now, ARGV[4])
  redis.call('EXPIRE', KEYS[2], ARGV[5])
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[2] - 1, ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[4])
return 1
"""
_LEAVE = """
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('ZPOPMIN', KEYS[2])[1] or ''
"""


@dataclass(frozen=True, slots=True)
class Place:
    """One of a worker's places. Without a holder there was nothing to share."""

    connection: str = ""
    holder: str = ""


def share(places: int, connections: int) -> int:
    """How many of a host's places one of so many connections may fill.

    All but a quarter are shared by all others: when each of these hangs, there is room left. Of
    many connections not all hang: each has a sixth, at least.
    """
    if connections < 2:
        return places
    free = max(1, places // 4)
    others = (places - free) // (connections - 1)
    return max(1, min(places - free, max(places // 6, others)))


class _Counted:
    """How many connections there are, as this process last counted them."""

    at = float("-inf")
    connections = 0


def are_shared() -> bool:
    """Whether there are several connections. Asks the database once a minute."""
    if time.monotonic() - _Counted.at > COUNTED_EVERY:
        used = Workspace.objects.present().filter(connection=OuterRef("pk"))
        _Counted.connections = Connection.objects.filter(Exists(used)).count()
        _Counted.at = time.monotonic()
    return _Counted.connections > 1


def take(connection: str, work: str) -> Place | None:
    """A place for work of a connection; None where it has filled its share, and ``work`` (a text
    that says what it is) was put aside."""
    holder = uuid.uuid4().hex
    most = share(settings.WORKER_PROCESSES, _Counted.connections)
    try:
        is_taken = _server().eval(
            _TAKE, 2, *_keys(connection), most, HELD_FOR, holder, work, PUT_ASIDE_FOR
        )
    except redis.RedisError as error:
        _note(error)
        return Place()
    _incident.over()
    return Place(connection, holder) if is_taken else None


def leave(place: Place) -> str:
    """Give the place back; what was put aside first, and is to be done now, or ""."""
    if not place.holder:
        return ""
    try:
        found = _server().eval(_LEAVE, 2, *_keys(place.connection), place.holder)
    except redis.RedisError as error:
        _note(error)
        return ""
    return found.decode() if isinstance(found, bytes) else str(found)


def _keys(connection: str) -> tuple[str, str]:
    return (
        f"portal:places:{connection}:{socket.gethostname()}",
        f"portal:put-aside:{connection}",
    )


def _note(error: redis.RedisError) -> None:
    _incident.note(error, is_misconfigured=valkey.is_misconfigured(error))
    for server in _servers.values():
        server.connection_pool.disconnect()


_servers: dict[int, redis.Redis] = {}


def _server() -> redis.Redis:
    """This process's connection, made on first use, hence after fork."""
    if os.getpid() not in _servers:
        _servers.clear()
        _servers[os.getpid()] = settings.CACHE.connect(socket_timeout=1, socket_connect_timeout=1)
    return _servers[os.getpid()]
