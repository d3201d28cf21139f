"""How fast AWS may be called, as a real Redis or Valkey keeps it."""

import threading
import time
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from pytest_django import Settings

from portal import pace
from portal.valkey import Server
from tests.servers import free_port

KEY = "test"
NAME = f"portal:pace:{KEY}"


class ThrottledError(Exception):
    """AWS objects."""


@pytest.fixture
def server() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.CACHE_URL, decode_responses=True) as client:
        client.flushdb()
        yield client
        client.flushdb()


def call() -> None:
    with pace.turn(KEY, throttled_by=ThrottledError):
        pass


def throttled_call(seconds: float = 0.0) -> None:
    """A call that AWS answers after so many seconds, and refuses."""

    def refused() -> None:
        with pace.turn(KEY, throttled_by=ThrottledError):
            time.sleep(seconds)
            raise ThrottledError

    with pytest.raises(ThrottledError):
        refused()


def set_pace(server: redis.Redis, *, rate: float, ago: float = 0.0, ahead: float = 0.0) -> None:
    """A pace that was cut so many seconds ago, with turns given for so many seconds ahead."""
    now = time.time()
    for name, value in (("rate", rate), ("next", now + ahead), ("grown", now - ago)):
        server.hset(NAME, name, str(value))
    server.hset(NAME, "cut", str(now - ago))


def rate() -> float:
    found = pace.rate(KEY)
    assert found is not None
    return found


def test_nobody_waits_until_aws_objects(server: redis.Redis) -> None:
    began = time.monotonic()
    for _ in range(20):
        call()
    assert time.monotonic() - began < 5
    assert pace.rate(KEY) is None


def test_an_objection_sets_a_pace_a_little_under_what_aws_has_just_served(
    server: redis.Redis,
) -> None:
    second = int(time.time())
    for counted in (second - 1, second, second + 1):
        server.set(f"{NAME}:{counted}", 20)
    throttled_call()
    assert rate() == pytest.approx(20 * pace.CUT, rel=0.05)


def test_turns_are_evenly_spaced(server: redis.Redis) -> None:
    set_pace(server, rate=20)
    began = time.monotonic()
    for _ in range(10):
        call()
    assert 0.4 < time.monotonic() - began < 5


def test_an_objection_takes_no_turn_back_that_was_given(server: redis.Redis) -> None:
    """Turns given twice were calls at twice the pace, just when AWS asked for fewer."""
    set_pace(server, rate=10, ago=5)
    given = time.time() + 3
    server.hset(NAME, "next", str(given))
    pace._note_throttled(KEY, time.time())
    assert float(str(server.hget(NAME, "next"))) > given


def test_calls_that_were_under_way_when_the_pace_was_cut_do_not_cut_it_again(
    server: redis.Redis,
) -> None:
    """Twelve workers send twelve calls at the old pace: all refused, they are one objection."""
    set_pace(server, rate=100, ago=5)
    calls = [threading.Thread(target=throttled_call, args=(1.0 + 1.3 * (n % 2),)) for n in range(8)]
    for one in calls:
        one.start()
    for one in calls:
        one.join()
    assert rate() == pytest.approx(100 * pace.CUT, rel=0.04)


def test_a_later_objection_cuts_again(server: redis.Redis) -> None:
    set_pace(server, rate=100, ago=5)
    throttled_call()
    first = rate()
    time.sleep(1.1)
    throttled_call()
    assert rate() < first


def test_a_pace_grows_slowly_at_first(server: redis.Redis) -> None:
    set_pace(server, rate=20, ago=10)
    call()
    assert rate() == pytest.approx(20 * (1 + 10 * pace.GROWTH_PER_SECOND), rel=0.01)


def test_a_stray_objection_at_a_quiet_time_is_forgotten_after_two_minutes(
    server: redis.Redis,
) -> None:
    throttled_call()
    assert rate() == pace.SLOWEST
    set_pace(server, rate=rate(), ago=120)
    call()
    assert rate() > 10


def test_who_would_wait_too_long_is_told_when_to_come_again(server: redis.Redis) -> None:
    set_pace(server, rate=1, ahead=60)
    with pytest.raises(pace.NotYetError) as later:
        call()
    assert later.value.seconds == pytest.approx(60, abs=1)


@pytest.mark.parametrize("hours", [3, -3])
def test_a_server_whose_clock_is_set_makes_nobody_wait_for_that(
    server: redis.Redis, hours: int
) -> None:
    """Ahead, so that all it has kept is old; and back, so that all of it is still to come."""
    later = -hours * 3600.0
    now = time.time() + later
    fields = {"rate": 10, "next": now + 0.5, "grown": now, "cut": now - 5}
    server.hset(NAME, mapping={name: str(value) for name, value in fields.items()})
    wait, at = pace._wait(KEY)
    assert 0 <= wait <= 0.6
    assert at == pytest.approx(time.time() + wait, abs=1)
    pace._note_throttled(KEY, time.time() + 1)
    assert rate() < 10 * 1.01 or hours > 0
    wait, _ = pace._wait(KEY)
    assert 0 <= wait < pace.LONGEST_TURN


def test_turns_that_were_far_away_come_though_the_servers_clock_was_set_back(
    server: redis.Redis,
) -> None:
    now = time.time() + 3 * 3600
    fields = {"rate": 10, "next": now + 5.5, "grown": now, "cut": now}
    server.hset(NAME, mapping={name: str(value) for name, value in fields.items()})
    assert pace._wait(KEY)[0] == pytest.approx(5.5, abs=0.2)
    time.sleep(1)
    assert pace._wait(KEY)[0] < 4.7


def test_calls_are_counted_by_the_servers_clock_whatever_a_hosts_says(
    server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_pace(server, rate=50, ago=5)
    with monkeypatch.context() as wrong:
        wrong.setattr(time, "time", lambda: 1.0)
        for _ in range(20):
            pace._note_served(KEY)
    pace._note_throttled(KEY, 2e9)
    assert 9 < rate() <= 20 * pace.CUT


def test_without_its_server_nobody_waits(settings: Settings) -> None:
    settings.CACHE = Server.parse(f"redis://127.0.0.1:{free_port()}/0")
    call()
    throttled_call()
    assert pace.rate(KEY) is None
