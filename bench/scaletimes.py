"""What every page takes on a database that bench/scalefill.py has filled, printed as JSON.

Runs in a process of its own, and in any commit's tree from e551cae on.
"""

import gc
import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import connection
from django.test import Client

from portal import tasks
from portal.models import Grant, User, Workspace

try:
    from portal.scheduler import run_all as sweep
except ModuleNotFoundError:  # as in e551cae
    from portal.flows.sweep import sweep  # type: ignore[attr-defined, no-redef]

ROUNDS, WARMING = 25, 3
ROUNDS_TO_DISK = 75
"""What is synced to disk takes now this, now that."""
SLOW_MS = 1500.0
"""What takes longer is measured only twice."""
WARM_SWEEPS = 30
"""The first ones mail whose tokens end within a week, 200 at a time: a quarter of 5,000."""
LIMIT = 1_000_000


def read(public_key: str) -> dict[str, Any]:
    """Milliseconds (median), bytes and queries of each page; null where a commit has no such."""
    tasks._send = lambda *_: True
    clients = {name: _client(name) for name in ("engineer", "lead", "admin")}
    place = Workspace.objects.order_by("-name")[0].aws_id
    link = f"workspace={place}&service_account=2"
    pages = {
        "request form": ("engineer", "/tokens/new/"),
        "request form, by a link": ("engineer", f"/tokens/new/?{link}"),
        "accounts of a workspace": ("engineer", f"/tokens/accounts/?{link}"),
        "is the name taken": ("engineer", f"/tokens/name/?workspace={place}&name=ci"),
        "My tokens": ("engineer", "/tokens/"),
        "My tokens, ?page=200": ("engineer", "/tokens/?page=200"),
        "desk": ("lead", "/team/platform/"),
        "desk, a search": ("lead", "/team/platform/?q=ci-08"),
        "an admin's My tokens (none)": ("admin", "/tokens/"),
        "inventory": ("admin", "/inventory/"),
        "audit log": ("admin", "/audit/"),
        "metrics": ("admin", "/metrics"),
    }
    measured = {
        name: _measured(lambda who=who, path=path: clients[who].get(path))  # type: ignore[misc]
        for name, (who, path) in pages.items()
    }

    def send(**more: str) -> Any:
        wish = {
            "workspace": place,
            "service_account": "2",
            "name": f"new-{uuid.uuid4().hex}",
            "seconds_to_live": "3600",
            "public_key": public_key,
        }
        return clients["engineer"].post("/tokens/new/", wish | more)

    measured["sending a request"] = _measured(send, 302, ROUNDS_TO_DISK)
    measured["sending it with a mistake"] = _measured(lambda: send(name=""), 422)
    Grant.objects.update(max_live=LIMIT)
    measured["sending it under a limit"] = _measured(send, 302, ROUNDS_TO_DISK)
    Grant.objects.update(max_live=None)
    for _ in range(WARM_SWEEPS):
        sweep()
    measured["a sweep"] = _measured(sweep, None)
    return measured


def _client(name: str) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(email=f"{name}@example.com"))
    return client


def _measured(
    ask: Callable[[], Any], status: int | None = 200, rounds: int = ROUNDS
) -> dict[str, Any] | None:
    for _ in range(WARMING):
        began = time.perf_counter()
        answer = ask()
        took = 1000 * (time.perf_counter() - began)
        if status and answer.status_code != status:
            if answer.status_code == 404:
                return None
            raise RuntimeError(f"{answer.status_code} instead of {status}")
        if took > SLOW_MS:
            break
    gc.collect()
    gc.freeze()
    count = 0

    def counting(execute: Any, *told: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*told)

    with connection.execute_wrapper(counting):
        ask()
    samples = []
    for _ in range(2 if took > SLOW_MS else rounds):
        began = time.perf_counter()
        ask()
        samples.append(1000 * (time.perf_counter() - began))
    size = len(answer.content) if status else None
    return {"ms": statistics.median(samples), "bytes": size, "queries": count}


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1])))
