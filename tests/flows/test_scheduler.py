"""The scheduler's sweeps do not wait for AWS, and two of it may read the catalog at once."""

import json
import threading
from pathlib import Path

import pytest
from django.db import connections

from portal.audit import SYSTEM
from portal.flows.sync_catalog import Synced, sync_catalog
from portal.models import Connection, ServiceAccount, Workspace
from tests.grafana.sandbox_process import SandboxProcess
from tests.product import run_python

WHILE_AWS_HANGS = """
import json, os, signal, threading, time, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from portal.management.commands import sweep as command
from portal.models import Connection, Heartbeat
Connection.objects.create(name="main")
command.SYNC_AGAIN_SECONDS = command.HEARTBEAT_SECONDS = 0.0
sweep, counted = command.sweep, []

def counting():
    counted.append(time.monotonic())
    return sweep()

command.sweep = counting

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
