"""How many of a worker's places one connection may fill: one that hangs leaves room for others.

A call to AWS may take 10 s, one to STS twice that, and a worker has a dozen places. With several
connections, a quarter of a host's places is kept for those that have few; and a connection that has
left a call without an answer lately has few until it answers again. What finds no place is put
aside, and whoever leaves a place of that connection sends it to the workers again. With one
connection there is nothing to share, and nothing is asked.

The state lies in Valkey or Redis; while that is away nobody is put aside. Nothing depends on what
is put aside here: it is queued in the database, and the sweep asks for it again after 30 s.
"""

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
SILENT_FOR = 30
"""Seconds for which a call that was not answered counts. While all hang, the next one ends earlier:
after 20 s."""
COUNTED_EVERY = 60.0
"""Seconds."""
ASK_AGAIN_SECONDS = 5.0
"""A server that does not answer is left alone so long: each try may cost a second of somebody's."""

_incident = Incident("places")

# KEYS: this host's places, what is put aside for the connection on any host, and its silence.
# A member is whose the place is: the holder's 32 digits, and the connection's name.
_TAKE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
local own, all = 0, 0
local held = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #held, 2 do
  local age = now - held[i + 1]
  if age < -1 or age > tonumber(ARGV[6]) then
    redis.call('ZREM', KEYS[1], held[i])
  else
    all = all + 1
    if string.sub(held[i], 33) == ARGV[1] then own = own + 1 end
  end
end
local few, most = tonumber(ARGV[4]), tonumber(ARGV[5])
if own < few or (all < most and redis.call('EXISTS', KEYS[3]) == 0) then
  redis.call('ZADD', KEYS[1], now, ARGV[2] .. ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[6])
  redis.call('ZREM', KEYS[2], ARGV[3])
  return 1
end
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[7])
return 0
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


class _Own:
    """What this process knows; times by ``time.monotonic()``."""

    connections = 0
    counted_at = float("-inf")
    is_away_until = float("-inf")
    """When the server may be asked again."""


def few(places: int) -> int:
    """Of a host's places those that a connection may always have."""
    return max(1, places // 6)


def most(places: int) -> int:
    """How many of a host's places may be taken before a connection gets no more than few."""
    return places - max(1, places // 4)


def are_shared() -> bool:
    """Whether there are several connections. Asks the database once a minute."""
    if time.monotonic() - _Own.counted_at > COUNTED_EVERY:
        used = Workspace.objects.present().filter(connection=OuterRef("pk"))
        _Own.connections = Connection.objects.filter(Exists(used)).count()
        _Own.counted_at = time.monotonic()
    return _Own.connections > 1


def take(connection: str, work: str) -> Place | None:
    """A place for work of a connection; None where it gets none now, and ``work`` (a text that says
    what it is) was put aside."""
    places = settings.WORKER_PROCESSES
    holder = uuid.uuid4().hex
    keys = (_key("places", socket.gethostname()), *_keys_of(connection))
    limits = (few(places), most(places), HELD_FOR, PUT_ASIDE_FOR)
    is_taken = _ask("eval", _TAKE, len(keys), *keys, connection, holder, work, *limits)
    if is_taken is None:
        return Place()
    return Place(connection, holder) if is_taken else None


def leave(place: Place) -> str:
    """Give the place back; what was put aside first, and is to be done now, or ""."""
    if not place.holder:
        return ""
    keys = (_key("places", socket.gethostname()), _keys_of(place.connection)[0])
    found = _ask("eval", _LEAVE, len(keys), *keys, place.holder + place.connection)
    return found.decode() if isinstance(found, bytes) else ""


def note_silence(connection: str) -> None:
    """A call was not answered: others may not be, either, so that this connection gets few."""
    _ask("set", _keys_of(connection)[1], 1, ex=SILENT_FOR)


def _keys_of(connection: str) -> tuple[str, str]:
    return _key("put-aside", connection), _key("silent", connection)


def _key(what: str, whose: str) -> str:
    return f"portal:{what}:{whose}"


def _ask(command: str, *arguments: object, **options: object) -> object:
    """The server's answer; None while it is away."""
    if time.monotonic() < _Own.is_away_until:
        return None
    server = valkey.client(settings.CACHE)
    try:
        answer: object = getattr(server, command)(*arguments, **options)
    except redis.RedisError as error:
        _Own.is_away_until = time.monotonic() + ASK_AGAIN_SECONDS
        _incident.note(error, is_misconfigured=valkey.is_misconfigured(error))
        # Its name may lead to another server by now, one that takes writes.
        server.connection_pool.disconnect()
        return None
    _incident.over()
    return answer
