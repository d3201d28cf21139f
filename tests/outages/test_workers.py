"""Workers and the scheduler while the database or the broker is away: a line each, no more."""

import time
from collections import Counter
from pathlib import Path

import psycopg
import redis

from tests.outages.portal import Portal, events
from tests.product import within
from tests.servers import Redis

WORKER = ("celery", "--quiet", "-A", "portal", "worker", "--loglevel", "INFO", "--concurrency", "2")
SCHEDULER = ("python", "manage.py", "sweep", "--every", "0.2")


def last_heard(portal: Portal, kind: str) -> float:
    """Seconds since a beat of that kind; a day where there was none."""
    with psycopg.connect(portal.postgres.url) as database:
        found = database.execute(
            "SELECT extract(epoch FROM now() - at)::float8 FROM portal_heartbeat WHERE kind = %s",
            [kind],
        ).fetchone()
    return float(found[0]) if found else 86_400.0


def ask_for_heartbeats(portal: Portal, count: int = 4) -> None:
    """As the scheduler does every 20 seconds."""
    done = portal.python(
        "import django; django.setup()\n"
        "from portal import tasks\n"
        f"for _ in range({count}): tasks.ask_for_heartbeat()"
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def assert_is_quiet(log: Path, *, processes: int) -> None:
    """No traceback, and at most a line for each process when it begins and when it ends."""
    text = log.read_text()
    assert "Traceback" not in text, text
    said = Counter(event["event"] for event in events(log))
    assert 1 <= said["database.unavailable"] <= processes, said
    assert said["database.available"] <= said["database.unavailable"]


def test_the_scheduler_goes_on_after_the_database_was_away(portal: Portal) -> None:
    with portal.process(*SCHEDULER) as log:
        assert within(30, lambda: last_heard(portal, "scheduler") < 30)
        portal.postgres.stop()
        assert within(30, lambda: "database.unavailable" in log.read_text())
        time.sleep(3)  # many sweeps
        portal.postgres.start()
        assert within(30, lambda: "database.available" in log.read_text())
        assert_is_quiet(log, processes=1)


def test_workers_go_on_after_the_database_was_away(portal: Portal) -> None:
    with portal.process(*WORKER) as log:
        ask_for_heartbeats(portal)
        assert within(30, lambda: last_heard(portal, "worker") < 30)
        portal.postgres.stop()
        ask_for_heartbeats(portal, 8)
        assert within(30, lambda: "database.unavailable" in log.read_text())
        time.sleep(3)
        portal.postgres.start()
        portal.sql("DELETE FROM portal_heartbeat")
        ask_for_heartbeats(portal)
        assert within(30, lambda: last_heard(portal, "worker") < 30)
        assert_is_quiet(log, processes=3)


def test_workers_go_on_after_their_broker_was_a_read_only_replica(portal: Portal) -> None:
    """As a failover leaves the old primary; the name then leads to the new one."""
    primary = Redis()
    primary.start()
    try:
        with (
            portal.process(*WORKER) as log,
            redis.Redis.from_url(portal.redis.url) as broker,
        ):
            ask_for_heartbeats(portal)
            assert within(30, lambda: last_heard(portal, "worker") < 30)
            broker.replicaof("127.0.0.1", primary.port)
            time.sleep(4)
            broker.replicaof("NO", "ONE")
            portal.sql("DELETE FROM portal_heartbeat")
            ask_for_heartbeats(portal)
            assert within(30, lambda: last_heard(portal, "worker") < 30), log.read_text()
            assert "Traceback" not in log.read_text()
            lost = [one["event"] for one in events(log) if one["event"].startswith("consumer: ")]
            assert len(lost) <= 2, "that it is lost, and that it can't be had"
    finally:
        primary.stop()


def test_a_message_that_a_replica_refuses_is_no_error_of_whoever_sends_it(portal: Portal) -> None:
    primary = Redis()
    primary.start()
    try:
        with redis.Redis.from_url(portal.redis.url) as broker:
            broker.replicaof("127.0.0.1", primary.port)
        done = portal.python(
            "import django; django.setup()\n"
            "from portal import tasks\n"
            "for _ in range(4): print(tasks._send(tasks.heartbeat.delay))"
        )
        assert done.stdout.split() == ["False"] * 4
        assert "Traceback" not in done.stderr
        assert done.stderr.count("broker.unavailable") == 1
    finally:
        primary.stop()
