"""What bench.inventory measures, in a process of the portal's settings: the scheduler's and the
worker's own processes read everything twice, and once more while somebody asks for tokens.

It imports nothing of the tests, which set the environment of AWS aside.
"""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django

django.setup()

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import call_command
from django.db import connection
from django.utils.timezone import now

from portal import tasks
from portal.audit import Actor
from portal.flows.request import TokenRequest, request
from portal.flows.want_lists import want_lists
from portal.models import (
    Connection,
    Grant,
    ListedToken,
    Membership,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
    Workspace,
)

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
WORKER = [str(PROGRAMS / "celery"), "--quiet", "-A", "portal", "worker", "--loglevel", "ERROR",
          "--without-gossip", "--without-mingle", "--without-heartbeat"]  # fmt: skip
SCHEDULER = [sys.executable, "manage.py", "sweep", "--every", "2"]
LONGEST = 1500.0
"""Seconds of one reading."""
QUIET_REQUESTS = 60
THINKS = 0.5
"""Seconds between two requests."""
COUNTED_LATE = 15.0
"""Seconds after which PostgreSQL has counted what was written."""
_ALWAYS = {"portal_heartbeat", "portal_tally"}
"""Written every few seconds, whatever happens."""


class Memory(threading.Thread):
    """The most memory of each kind of process, pages that they share counted once (PSS), in MB."""

    def __init__(self, **processes: "subprocess.Popen[bytes]") -> None:
        super().__init__(daemon=True)
        self.most: dict[str, float] = defaultdict(float)
        self._processes = processes

    def run(self) -> None:
        while True:
            for name, process in self._processes.items():
                megabytes = sum(map(_megabytes, _family(process.pid)))
                self.most[name] = max(self.most[name], megabytes)
            time.sleep(1)


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from _family(int(child))


def _megabytes(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def writes() -> dict[str, int]:
    """Rows that were written so far, by what and where, as PostgreSQL has counted them."""
    time.sleep(COUNTED_LATE)
    found: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables")
        for table, *numbers in cursor.fetchall():
            if table.startswith("portal_") and table not in _ALWAYS:
                found |= zip(
                    (f"{what} {table}" for what in ("INSERT", "UPDATE", "DELETE")),
                    numbers,
                    strict=True,
                )
    return found


def more(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {what: n - before.get(what, 0) for what, n in after.items() if n > before.get(what, 0)}


def until(is_so: Callable[[], bool], what: str) -> float:
    """Seconds until it is so."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > LONGEST:
            raise TimeoutError(what)
        time.sleep(0.25)
    return time.monotonic() - began


def tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", file=sys.stderr, flush=True)


class Somebody:
    """A person who asks for tokens, one after another, each in another workspace."""

    def __init__(self) -> None:
        self.user = User.objects.create_user("admin@example.com", is_admin=True)
        self._team = Team.objects.create(slug="platform", name="platform")
        Membership.objects.create(user=self.user, team=self._team)
        Grant.objects.create(team=self._team)
        self.actor = Actor(user=self.user)
        key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
        self._public_key = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._accounts = self._in_turns()

    def asks(self, goes_on: Callable[[int], bool]) -> list[float]:
        """Milliseconds from each request to the sealed key."""
        taken: list[float] = []
        while goes_on(len(taken)):
            began = time.monotonic()
            wanted = TokenRequest(
                team=self._team,
                service_account=next(self._accounts),
                name=f"ci-{uuid.uuid4().hex[:8]}",
                seconds_to_live=3600,
                reason="",
                public_key=self._public_key,
            )
            made = request(wanted, actor=self.actor)
            tasks.follow_up(made.effects)
            rows = Token.objects.filter(pk=made.token.pk)
            while rows.values_list("state", flat=True).get() != State.SEALED:
                if time.monotonic() - began > 60:
                    raise TimeoutError("a token was not issued")
                time.sleep(0.005)
            taken.append(1000 * (time.monotonic() - began))
            time.sleep(THINKS)
        return taken

    def _in_turns(self) -> Iterator[ServiceAccount]:
        """Those whose list is to be read next: there a request would wait, if anywhere."""
        while True:
            rows = ServiceAccount.objects.select_related("workspace__connection")
            yield from rows.order_by("listed_at")[:5]


def main(connections: int, workspaces: int) -> None:
    """Prints what each reading took as JSON."""
    call_command("migrate", verbosity=0)
    somebody = Somebody()
    Connection.objects.bulk_create(
        Connection(
            name=f"account-{one}",
            region="eu-west-1",
            role_arn=f"arn:aws:iam::{100_000_000_000 + one}:role/portal-{one}",
            external_id="of the benchmark",
        )
        for one in range(1, connections + 1)
    )
    before = writes()
    worker, scheduler = (
        subprocess.Popen(command, cwd=ROOT, stdout=sys.stderr) for command in (WORKER, SCHEDULER)
    )
    try:
        memory = Memory(worker=worker, scheduler=scheduler)
        memory.start()
        found = _measure(somebody, connections * workspaces, before)
        found["megabytes"] = dict(memory.most)
    finally:
        for process in (worker, scheduler):
            process.send_signal(signal.SIGTERM)
        for process in (worker, scheduler):
            try:
                process.wait(45)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    print(json.dumps(found))


def _measure(somebody: Somebody, workspaces: int, before: dict[str, int]) -> dict[str, Any]:
    accounts = ServiceAccount.objects.all()
    began = time.monotonic()
    unread = Workspace.objects.filter(service_accounts=None)
    until(lambda: Workspace.objects.count() == workspaces and not unread.exists(), "catalogs")
    catalogs = time.monotonic() - began
    tell(f"catalogs are read: {catalogs:.0f} s")
    until(lambda: not accounts.filter(listed_at=None).exists(), "a first reading")
    first = {"catalogs": catalogs, "all": time.monotonic() - began}
    tell(f"everything is read: {first['all']:.0f} s")
    after_first = writes()

    def read_again() -> float:
        at = now()
        want_lists(accounts, actor=somebody.actor)
        taken = until(lambda: not accounts.exclude(listed_at__gt=at).exists(), "a reading")
        tell(f"everything is read again: {taken:.0f} s")
        return taken

    second = read_again()
    after_second = writes()
    quiet = somebody.asks(lambda number: number < QUIET_REQUESTS)
    over = threading.Event()
    times: list[float] = []

    def read_beside() -> None:
        try:
            times.append(read_again())
        finally:
            over.set()
            connection.close()

    reader = threading.Thread(target=read_beside)
    reader.start()
    busy = somebody.asks(lambda _: not over.is_set())
    reader.join()
    return {
        "rows": [model.objects.count() for model in (Workspace, ServiceAccount, ListedToken)],
        "seconds": {"first": first, "second": second, "beside requests": times[0]},
        "writes": {
            "first": more(after_first, before),
            "second": more(after_second, after_first),
        },
        "requests": {
            name: {
                "n": len(ms),
                "p50": statistics.median(ms),
                "p95": statistics.quantiles(ms, n=20)[-1],
                "most": max(ms),
            }
            for name, ms in (("quiet", quiet), ("while lists are read", busy))
        },
    }


if __name__ == "__main__":
    os.chdir(ROOT)
    main(int(sys.argv[1]), int(sys.argv[2]))
