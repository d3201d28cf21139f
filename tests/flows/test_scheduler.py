"""The scheduler's sweeps do not wait for AWS, and two of it may read the catalog at once."""

import json
import threading
import types
from pathlib import Path

import pytest
from django.db import OperationalError, connections

from portal import clock, gateway, scheduler
from portal.audit import SYSTEM, Actor
from portal.flows.sync_catalog import Synced, sync_catalog
from portal.models import Connection, ServiceAccount, Workspace
from portal.scheduler import TABLE, Beside, CatalogReaders, Job, Scheduler, ask_the_time
from tests.grafana.sandbox_process import SandboxProcess
from tests.product import run_python, within

WHILE_AWS_HANGS = """
import json, os, signal, threading, time, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from portal import clock, gateway, scheduler
from portal.models import Connection, Heartbeat
Connection.objects.create(name="main")
scheduler.READ_AGAIN_SECONDS = 0.0
turn, counted = scheduler.Scheduler.turn, []

def counting(self):
    counted.append(time.monotonic())
    turn(self)

scheduler.Scheduler.turn = counting

def stop_later():
    time.sleep(3)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=stop_later).start()
call_command("sweep", every=0.05)
connection = Connection.objects.get()
print(json.dumps({
    "longest pause": max(later - one for one, later in zip(counted, counted[1:])),
    "sweeps": len(counted),
    "beats": Heartbeat.objects.filter(kind="scheduler").count(),
    "read": connection.unread_code or connection.workspaces.count(),
}))
"""


@pytest.mark.parametrize("hangs", [False, True])
def test_sweeps_go_on_while_aws_does_not_answer(
    aws: SandboxProcess, tmp_path: Path, hangs: bool
) -> None:
    if hangs:
        aws.settings(held=["ListWorkspaces"])
    try:
        settings = {"PORTAL_GRAFANA": "aws", "PORTAL_EMBEDDED": "1", **aws.environment}
        done = run_python(WHILE_AWS_HANGS, tmp_path, **settings)
    finally:
        aws.reset()
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["beats"], said["read"]) == (1, 0 if hangs else 3)
    assert said["sweeps"] > 5
    assert said["longest pause"] < 2


@pytest.mark.django_db(transaction=True)
def test_two_that_read_a_new_catalog_at_once_store_it_once(aws: SandboxProcess) -> None:
    main = Connection.objects.create(name="main")
    aws.settings(latency_ms={"*": 50})
    read: list[Synced] = []

    def sync() -> None:
        read.append(sync_catalog(Connection.objects.get(pk=main.pk), actor=SYSTEM))
        connections.close_all()

    threads = [threading.Thread(target=sync) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.unread for one in read] == [[], [], [], []]
    assert (Workspace.objects.count(), ServiceAccount.objects.count()) == (3, 12)
    assert sum(one.changes for one in read) == 15


def counted(job: list[str], name: str, *, every: float = 0.0) -> Job:
    return Job(name, lambda: job.append(name), every)


def test_a_job_runs_again_when_its_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    now = 100.0
    monkeypatch.setattr(scheduler, "time", types.SimpleNamespace(monotonic=lambda: now))
    jobs = [counted(ran, "each turn"), counted(ran, "a minute", every=60.0)]
    running = Scheduler(jobs)
    for now in (100.0, 101.0, 159.0, 161.0):  # noqa: B007 (the jobs' clock)
        running.turn()
    assert (ran.count("each turn"), ran.count("a minute")) == (4, 2)


def test_a_job_with_an_error_of_ours_rests_and_keeps_no_other_from_running(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    def broken() -> None:
        ran.append("broken")
        raise RuntimeError("no such thing")

    now = 100.0
    monkeypatch.setattr(scheduler, "time", types.SimpleNamespace(monotonic=lambda: now))
    running = Scheduler([Job("it breaks", broken), counted(ran, "after it")])
    for now in (100.0, 102.0, 104.0, 161.0):  # noqa: B007 (the jobs' clock)
        running.turn()
    assert (ran.count("broken"), ran.count("after it")) == (2, 4)
    lines = [one for one in caplog.records if one.getMessage() == "job.failed"]
    assert [one.__dict__["job"] for one in lines] == ["it breaks", "it breaks"]


def test_without_a_database_the_turn_ends_and_the_next_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[str] = []
    outages = iter([OperationalError("server closed the connection unexpectedly"), None])

    def asks() -> None:
        if error := next(outages):
            raise error
        ran.append("asked")

    running = Scheduler([Job("asks", asks), counted(ran, "after it")])
    running.turn()
    assert ran == []
    running.turn()
    assert ran == ["asked", "after it"]


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_hangs_keeps_no_other_from_being_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("hangs", "healthy"):
        Connection.objects.create(name=name)
    end, read = threading.Event(), []

    def reading(row: Connection, *, actor: Actor) -> Synced:
        if row.name == "hangs":
            end.wait(20)
        read.append(row.name)
        return Synced(row.name)

    monkeypatch.setattr(scheduler, "sync_catalog", reading)
    monkeypatch.setattr(scheduler, "READ_AGAIN_SECONDS", 0.0)
    readers = CatalogReaders()
    readers.turn()
    try:
        assert within(5, lambda: read == ["healthy"])
        readers.turn()
        assert read == ["healthy"], "neither is due"
    finally:
        end.set()
    assert within(5, lambda: read == ["healthy", "hangs"])


@pytest.mark.django_db(transaction=True)
def test_of_many_connections_few_are_read_at_once_and_all_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each reading holds one of the database's connections, of which a process has few."""
    names = {f"account-{number}" for number in range(2 * scheduler.MOST_READERS + 1)}
    Connection.objects.bulk_create(Connection(name=name) for name in names)
    end, begun = threading.Event(), []

    def reading(row: Connection, *, actor: Actor) -> Synced:
        begun.append(row.name)
        end.wait(20)
        return Synced(row.name)

    monkeypatch.setattr(scheduler, "sync_catalog", reading)
    monkeypatch.setattr(scheduler, "READ_AGAIN_SECONDS", 0.0)
    readers = CatalogReaders()
    try:
        readers.turn()
        readers.turn()
        assert within(5, lambda: len(begun) == scheduler.MOST_READERS)
    finally:
        end.set()

    def all_read() -> bool:
        readers.turn()
        return set(begun) == names

    assert within(20, all_read)
    assert len(begun) == len(names), "and none twice"
    for reader in readers._readers.values():
        if reader.thread is not None:
            reader.thread.join(20)


@pytest.mark.django_db
@pytest.mark.parametrize("may_run", [True, False])
def test_what_ends_something_by_a_clock_that_is_off_is_left_for_a_later_turn(may_run: bool) -> None:
    ran: list[str] = []
    asked: list[clock.Standing] = []

    def may(verdict: clock.Verdict) -> bool:
        asked.append(verdict.standing)
        return may_run

    ends = Job("ends", lambda: ran.append("ends"), 60.0, may)
    running = Scheduler([ends, counted(ran, "after it")])
    running.turn()
    running.turn()
    assert ran == (["ends", "after it", "after it"] if may_run else ["after it", "after it"])
    assert asked == [clock.Standing.AGREES] * (1 if may_run else 2), "asked again in the next turn"


@pytest.mark.django_db(transaction=True)
def test_aws_is_asked_the_time_once_at_a_time_and_again_after_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    end, asked = threading.Event(), []

    def ask(_: object) -> None:
        asked.append(1)
        end.wait(20)
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(gateway, "ask_the_time", ask)
    asker = Beside(ask_the_time, "have AWS say what time it is")
    asker.turn()
    asker.turn()
    end.set()
    assert within(5, lambda: "job.failed" in caplog.messages)
    assert asked == [1]
    assert within(5, lambda: not [one for one in threading.enumerate() if one is asker._thread])
    asker.turn()
    assert within(5, lambda: asked == [1, 1])


def test_each_job_has_a_name_of_its_own() -> None:
    names = [job.name for job in TABLE]
    assert len(names) == len(set(names))
