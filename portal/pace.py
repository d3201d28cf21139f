"""How fast AWS may be called now, as all workers together have learned it.

Nobody tells the limit beforehand, so it is found: as long as AWS throttles nobody, nobody waits. A
throttled call sets a pace a little under what AWS has just served, calls then take evenly spaced
turns, and the pace grows slowly until AWS objects again. The state lies in Valkey or Redis; while
that is away nobody waits, and each call is throttled for itself.
"""

import contextlib
import random
import time
from collections.abc import Iterator

import redis
from django.conf import settings

from portal import valkey
from portal.incidents import Incident

CUT = 0.93
"""Of what AWS served in the second before it objected."""
GROWTH_PER_SECOND = 0.005
"""So a pace that was cut meets the limit again after about 15 s, and costs one call in 200."""
CALM_SECONDS = 20.0
"""Without an objection for longer, the pace was cut too far: growth grows with the square of it, so
that a stray objection at a quiet time is forgotten after one or two minutes."""
SLOWEST = 0.5
"""Calls per second."""
FORGOTTEN_AFTER = 600
"""Seconds without an objection after which there is no pace any more."""
LONGEST_TURN = 5.0
"""Seconds a worker waits for its turn; who would wait longer comes again."""
LONGEST_BACKOFF = 60.0
"""Seconds; before jitter."""

_incident = Incident("pace")

# KEYS: the pace; beside it, by the second, lie the calls served. All times are the server's own.
# ``grown`` is always past: where it is not, the server's clock was set back, and all times with it.
_TURN = """
local now = redis.call('TIME'); now = now[1] + now[2] / 1000000
local pace = redis.call('HMGET', KEYS[1], 'rate', 'next', 'grown', 'cut')
if not pace[1] then return {'0', tostring(now)} end
local back = math.max(0, pace[3] - now)
local next, grown, cut = pace[2] - back, pace[3] - back, (pace[4] or now) - back
if back > 0 then redis.call('HSET', KEYS[1], 'next', next, 'grown', grown, 'cut', cut) end
local calm = math.max(1, ((now - cut) / ARGV[3]) ^ 2)
local rate = pace[1] * (1 + ARGV[1] * calm * (now - grown))
local turn = math.max(now, next)
if turn - now <= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'rate', rate, 'next', turn + 1 / rate, 'grown', now)
end
return {tostring(turn - now), tostring(turn)}
"""
_SERVED = """
local served = KEYS[1] .. ':' .. redis.call('TIME')[1]
redis.call('INCR', served)
redis.call('EXPIRE', served, 5)
"""
_THROTTLED = """
local time = redis.call('TIME'); local now = time[1] + time[2] / 1000000
local pace = redis.call('HMGET', KEYS[1], 'rate', 'cut', 'next')
if pace[2] and (now - pace[2] < 1 or tonumber(ARGV[4]) < tonumber(pace[2])) then return end
local served = 0
for _, second in pairs({time[1], time[1] - 1}) do
  local found = redis.call('GET', KEYS[1] .. ':' .. second)
  served = math.max(served, tonumber(found or 0))
end
local rate = tonumber(pace[1] or served)
if served > 0 then rate = math.min(rate, served) end
rate = math.max(tonumber(ARGV[2]), rate * ARGV[1])
local turn = math.max(now, tonumber(pace[3] or 0))
redis.call('HSET', KEYS[1], 'rate', rate, 'next', turn + 1 / rate, 'grown', now, 'cut', now)
redis.call('EXPIRE', KEYS[1], ARGV[3])
"""


class NotYetError(Exception):
    """The turn would come too late to wait for; ``seconds`` says when."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the next turn is {seconds:.1f} s away")
        self.seconds = seconds


@contextlib.contextmanager
def turn(key: str, *, throttled_by: type[Exception]) -> Iterator[None]:
    """Wait for a turn to call the AWS account and region named ``key``; make the call inside.

    An exception of the type ``throttled_by`` slows everybody down. Raises NotYetError, before the
    call, when the turn is more than LONGEST_TURN away.
    """
    wait, at = _wait(key)
    if wait > LONGEST_TURN:
        raise NotYetError(wait)
    time.sleep(wait)
    try:
        yield
    except throttled_by:
        _note_throttled(key, at)
        raise
    _note_served(key)


def rate(key: str) -> float | None:
    """Calls per second at present; None while there is no pace."""
    with contextlib.suppress(redis.RedisError, ValueError):
        found = _server().hget(_name(key), "rate")
        return float(found) if isinstance(found, bytes) else None
    return None


def backoff(attempt: int, *, least: float = 0.0) -> float:
    """Seconds until the next try after AWS refused: ``least``, or twice as long each time.

    Jitter spreads workers that were refused together.
    """
    wait = max(least, min(LONGEST_BACKOFF, 0.5 * 2.0 ** (attempt - 1)))
    return wait * random.uniform(1.0, 1.5)  # noqa: S311 (no secret)


def _wait(key: str) -> tuple[float, float]:
    """Seconds until the next turn, and its time by the server's clock."""
    server = _server()
    try:
        wait, at = server.eval(_TURN, 1, _name(key), GROWTH_PER_SECOND, LONGEST_TURN, CALM_SECONDS)
    except redis.RedisError as error:
        _incident.note(error, is_misconfigured=valkey.is_misconfigured(error))
        # Its name may lead to another server by now, one that takes writes.
        server.connection_pool.disconnect()
        return 0.0, 0.0
    _incident.over()
    return max(0.0, float(wait)), float(at)


def _note_served(key: str) -> None:
    with contextlib.suppress(redis.RedisError):
        _server().eval(_SERVED, 1, _name(key))


def _note_throttled(key: str, at: float) -> None:
    with contextlib.suppress(redis.RedisError):
        _server().eval(_THROTTLED, 1, _name(key), CUT, SLOWEST, FORGOTTEN_AFTER, at)


def _name(key: str) -> str:
    return f"portal:pace:{key}"


def _server() -> redis.Redis:
    return valkey.client(settings.CACHE)
