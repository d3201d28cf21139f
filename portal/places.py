"""How many of a worker's places one connection may fill: one that hangs leaves room for others.

A call to AWS may take 10 s, one to STS twice that, and a worker has a dozen places. With several
connections, a quarter of a host's places is kept for those that have few; and a connection that has
left a call without an answer lately has few until it answers again. What finds no place is put
aside, and whoever leaves a place of that connection sends it to the workers again. With one
connection there is nothing to share, and nothing is asked.

Readings of AMG's lists, which nobody's key waits for, have a third of the places at most, and of
one connection there is one at a time (docs/decisions/0064). Whoever is done with one begins others.

The state lies in Valkey or Redis; while that is away nobody is put aside. Nothing depends on what
is put aside here: it is queued in the database, and the sweep asks for it again after 30 s.
"""

import socket
import time
import uuid
from collections import Counter
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

WAITS_FOR = 120.0
"""Seconds for which a reading that was put aside counts as under way. Where it has waited longer,
whoever was to begin it may have died: the next reading that is done finds it."""

_READING = "r"
_incident = Incident("places")

# KEYS: this host's places, what is put aside for the connection on any host, and its silence.
# A member is whose the place is: the holder's 32 digits, and the connection's name. An "r" in place
# of the first digit is a reading's.
_HELD = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
local own, all, read, reads = 0, 0, 0, {}
local held = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #held, 2 do
  local age = now - held[i + 1]
  if age < -1 or age > tonumber(ARGV[6]) then
    redis.call('ZREM', KEYS[1], held[i])
  else
    local whose = string.sub(held[i], 33)
    all = all + 1
    if whose == ARGV[1] then own = own + 1 end
    if string.sub(held[i], 1, 1) == 'r' then read, reads[whose] = read + 1, true end
  end
end
"""
_TAKE = f"""{_HELD}
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
return {redis.call('ZPOPMIN', KEYS[2])[1]}
"""
# KEYS: this host's places, the readings that are put aside, and the connection's silence. What is
# put aside is the connection's name and, behind a line break, the work; by the time at which it
# first was. One that is to be begun stays, by a time far away, until a worker has taken it; one
# that finds no place after all is where it was.
_TAKE_READING = f"""{_HELD}
local aside, few, most = ARGV[1] .. '\\n' .. ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local is_silent = redis.call('EXISTS', KEYS[3]) == 1
if read < tonumber(ARGV[8]) and not reads[ARGV[1]] and not is_silent
    and (own < few or all < most) then
  redis.call('ZADD', KEYS[1], now, ARGV[2] .. ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[6])
  redis.call('ZREM', KEYS[2], aside)
  return 1
end
local since = tonumber(redis.call('ZSCORE', KEYS[2], aside) or now)
if since >= 1e10 then since = since - 1e10 end
redis.call('ZADD', KEYS[2], since, aside)
redis.call('EXPIRE', KEYS[2], ARGV[7])
return 0
"""
# KEYS: this host's places, what is put aside for the connection, and the readings that are. As many
# of these are begun as there is room for, each of another connection, and of none that is silent.
_LEAVE_READING = f"""
redis.call('ZREM', KEYS[1], ARGV[2] .. ARGV[1])
{_HELD}
local found = {{redis.call('ZPOPMIN', KEYS[2])[1]}}
local free = tonumber(ARGV[3]) - read
for _, aside in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], 0, 1e10)) do
  if free < 1 then break end
  local line = string.find(aside, '\\n', 1, true)
  local whose = string.sub(aside, 1, line - 1)
  if reads[whose] == nil then
    reads[whose] = redis.call('EXISTS', ARGV[4] .. whose) == 1
    if not reads[whose] then
      redis.call('ZINCRBY', KEYS[3], 1e10, aside)
      table.insert(found, string.sub(aside, line + 1))
      reads[whose], free = true, free - 1
    end
  end
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


def take(connection: str, work: str) -> Place | None:
    """A place for work of a connection; None where it gets none now, and ``work`` (a text that says
    what it is) was put aside."""
    places, holder = settings.WORKER_PROCESSES, uuid.uuid4().hex
    keys = (_here(), _put_aside(connection), _silent(connection))
    limits = (few(places), most(places), HELD_FOR, PUT_ASIDE_FOR)
    return _placed(
        connection, holder, _ask("eval", _TAKE, 3, *keys, connection, holder, work, *limits)
    )


def take_for_reading(connection: str, work: str) -> Place | None:
    """The same for reading a list."""
    places, holder = settings.WORKER_PROCESSES, _READING + uuid.uuid4().hex[1:]
    keys = (_here(), _READINGS_PUT_ASIDE, _silent(connection))
    limits = (few(places), most(places), HELD_FOR, PUT_ASIDE_FOR, readings(places))
    is_taken = _ask("eval", _TAKE_READING, 3, *keys, connection, holder, work, *limits)
    return _placed(connection, holder, is_taken)


def _placed(connection: str, holder: str, is_taken: object) -> Place | None:
    if is_taken is None:
        return Place()
    return Place(connection, holder) if is_taken else None


def leave(place: Place) -> list[str]:
    """Give the place back; what was put aside and is to be done now, what people wait for first."""
    connection, holder = place.connection, place.holder
    if not holder:
        return []
    keys = (_here(), _put_aside(connection))
    if holder.startswith(_READING):
        most_readings = readings(settings.WORKER_PROCESSES)
        arguments = (connection, holder, most_readings, _silent(""), "", HELD_FOR)
        found = _ask("eval", _LEAVE_READING, 3, *keys, _READINGS_PUT_ASIDE, *arguments)
    else:
        found = _ask("eval", _LEAVE, 2, *keys, holder + connection)
    return [work.decode() for work in found] if isinstance(found, list) else []


def readings_put_aside() -> "Counter[str]":
    """How many readings of each connection wait for a place."""
    at = _ask("time")
    if not isinstance(at, tuple):
        return Counter()
    lately = at[0] + at[1] / 1_000_000 - WAITS_FOR
    found = _ask("zrangebyscore", _READINGS_PUT_ASIDE, lately, 1e10)
    if not isinstance(found, list):
        return Counter()
    return Counter(aside.decode().partition("\n")[0] for aside in found)


def note_silence(connection: str) -> None:
    """A call was not answered: others may not be, either, so that this connection gets few."""
    _ask("set", _silent(connection), 1, ex=SILENT_FOR)


_READINGS_PUT_ASIDE = "portal:put-aside-readings"


def _here() -> str:
    return f"portal:places:{socket.gethostname()}"


def _put_aside(connection: str) -> str:
    return f"portal:put-aside:{connection}"


def _silent(connection: str) -> str:
    return f"portal:silent:{connection}"


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
