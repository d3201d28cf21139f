"""How many of a worker's places one connection may fill: one that hangs leaves room for others.

A call to AWS may take 10 s, one to STS twice that, and a worker has a dozen places. With several
connections, a quarter of a host's places is kept for those that have few; and a connection that has
left a call without an answer lately has few until it answers again. What finds no place is put
aside, and whoever leaves a place of that connection sends it to the workers again. With one
connection there is nothing to share, and nothing is asked.

Readings of AMG's lists, which nobody may wait for, have a third of the places at most, and of one
connection there is one at a time (docs/decisions/0064).

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

_READING = "r"
_incident = Incident("places")

# KEYS: this host's places, what is put aside for the connection on any host, and its silence; then
# readings that are put aside for the connection, and those that are for all.
# A member is whose the place is: the holder's 32 digits, and the connection's name. An "r" in place
# of the first digit is a reading's.
_TAKE = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
local own, all, read, own_read = 0, 0, 0, 0
local held = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #held, 2 do
  local age = now - held[i + 1]
  if age < -1 or age > tonumber(ARGV[6]) then
    redis.call('ZREM', KEYS[1], held[i])
  else
    local is_own = string.sub(held[i], 33) == ARGV[1] and 1 or 0
    local is_read = string.sub(held[i], 1, 1) == 'r' and 1 or 0
    all, own, read, own_read = all + 1, own + is_own, read + is_read, own_read + is_own * is_read
  end
end
local few, most, readings = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[8])
local is_silent = redis.call('EXISTS', KEYS[3]) == 1
local may, aside = own < few or (all < most and not is_silent), KEYS[2]
if readings > 0 then
  may, aside = may and own_read == 0 and not is_silent, KEYS[4]
  if may and read >= readings then may, aside = false, KEYS[5] end
end
if may then
  redis.call('ZADD', KEYS[1], now, ARGV[2] .. ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[6])
  for _, key in ipairs({KEYS[2], KEYS[4], KEYS[5]}) do redis.call('ZREM', key, ARGV[3]) end
  return 1
end
redis.call('ZADD', aside, 'NX', now, ARGV[3])
redis.call('EXPIRE', aside, ARGV[7])
return 0
"""
# What people wait for first; a place of a reading goes to a reading again.
_LEAVE = """
redis.call('ZREM', KEYS[1], ARGV[1])
local is_read = string.sub(ARGV[1], 1, 1) == 'r'
local found = {redis.call('ZPOPMIN', KEYS[2])[1]}
if is_read or #found == 0 then
  local reading = redis.call('ZPOPMIN', KEYS[3])[1]
  if is_read and not reading then reading = redis.call('ZPOPMIN', KEYS[4])[1] end
  if reading then table.insert(found, reading) end
end
return found
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


def readings(places: int) -> int:
    """How many of a host's places may read lists at once."""
    return max(1, places // 3)


def are_shared() -> bool:
    """Whether there are several connections. Asks the database once a minute."""
    if time.monotonic() - _Own.counted_at > COUNTED_EVERY:
        used = Workspace.objects.present().filter(connection=OuterRef("pk"))
        _Own.connections = Connection.objects.filter(Exists(used)).count()
        _Own.counted_at = time.monotonic()
    return _Own.connections > 1


def take(connection: str, work: str, *, is_reading: bool = False) -> Place | None:
    """A place for work of a connection; None where it gets none now, and ``work`` (a text that says
    what it is) was put aside."""
    places = settings.WORKER_PROCESSES
    holder = uuid.uuid4().hex
    if is_reading:
        holder = _READING + holder[1:]
    keys = (_here(), _put_aside(connection), _silent(connection), *_put_aside_readings(connection))
    limits = (few(places), most(places), HELD_FOR, PUT_ASIDE_FOR)
    most_readings = readings(places) if is_reading else 0
    arguments = (connection, holder, work, *limits, most_readings)
    is_taken = _ask("eval", _TAKE, len(keys), *keys, *arguments)
    if is_taken is None:
        return Place()
    return Place(connection, holder) if is_taken else None


def leave(place: Place) -> list[str]:
    """Give the place back; what was put aside first, and is to be done now."""
    if not place.holder:
        return []
    keys = (_here(), _put_aside(place.connection), *_put_aside_readings(place.connection))
    found = _ask("eval", _LEAVE, len(keys), *keys, place.holder + place.connection)
    return [work.decode() for work in found] if isinstance(found, list) else []


def note_silence(connection: str) -> None:
    """A call was not answered: others may not be, either, so that this connection gets few."""
    _ask("set", _silent(connection), 1, ex=SILENT_FOR)


def _here() -> str:
    return f"portal:places:{socket.gethostname()}"


def _put_aside(connection: str) -> str:
    return f"portal:put-aside:{connection}"


def _silent(connection: str) -> str:
    return f"portal:silent:{connection}"


def _put_aside_readings(connection: str) -> tuple[str, str]:
    """Of the connection, and of all that found all places of readings taken."""
    return f"portal:put-aside-readings-of:{connection}", "portal:put-aside-readings"


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
