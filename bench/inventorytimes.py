"""What bench.inventory measures: two readings of everything, in a process of the portal's settings.

It imports nothing of the tests, which set the environment of AWS aside.
"""

import json
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django

django.setup()

from django.core.management import call_command
from django.db import connection

from portal.audit import SYSTEM
from portal.flows.sync_catalog import sync_catalog
from portal.flows.take_inventory import take_inventory
from portal.models import Connection, ListedToken, ServiceAccount, Workspace


class Writes:
    """Counts what is written, by table."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    def __call__(self, execute: Callable[..., Any], sql: Any, *rest: Any) -> Any:
        found = re.match(r'\s*(INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', str(sql))
        if found:
            self.count[f"{found[1].split()[0]} {found[2]}"] += 1
        return execute(sql, *rest)


def main(connections: int, workers: int) -> None:
    """Prints what each reading took as JSON."""
    call_command("migrate", verbosity=0)
    Connection.objects.bulk_create(
        Connection(
            name=f"account-{one}",
            region="eu-west-1",
            role_arn=f"arn:aws:iam::{100_000_000_000 + one}:role/portal-{one}",
            external_id="of the benchmark",
        )
        for one in range(1, connections + 1)
    )
    found = []
    for _ in range(2):
        writes, began = Writes(), time.monotonic()

        def with_writes(work: Callable[[Any], object], one: Any, writes: Writes = writes) -> object:
            try:
                with connection.execute_wrapper(writes):
                    return work(one)
            finally:
                connection.close()

        def read(row: Any) -> None:
            while sync_catalog(row, actor=SYSTEM).unread:
                time.sleep(1)

        def list_one(pk: int) -> None:
            while not take_inventory(pk):
                time.sleep(0.2)

        with ThreadPoolExecutor(workers) as threads:
            list(threads.map(lambda one: with_writes(read, one), Connection.objects.all()))
        catalog = time.monotonic() - began
        # In turns of the connections, as the scheduler's order is that of the last reading.
        pks = ServiceAccount.objects.order_by("aws_id", "workspace__aws_id").values_list(
            "pk", flat=True
        )
        mixed = sorted(pks, key=lambda pk: (pk * 7_919) % 10_007)
        with ThreadPoolExecutor(workers) as threads:
            list(threads.map(lambda pk: with_writes(list_one, pk), mixed))
        found.append(
            {
                "catalog": catalog,
                "all": time.monotonic() - began,
                "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "writes": dict(writes.count),
            }
        )
    rows = [model.objects.count() for model in (Workspace, ServiceAccount, ListedToken)]
    print(json.dumps({"readings": found, "rows": rows}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
