"""One step of audit_scale, in a process of its own: ``fill``, ``read``, ``export`` and so on.

Each prints what it measured as JSON. Its own process says how much memory it took at most.
"""

import contextlib
import json
import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.test import Client

from bench import manylog
from portal import audit
from portal.audit import SYSTEM, keys
from portal.audit.chain import Link, export_lines
from portal.audit.database import verify_database
from portal.audit.head import read_head
from portal.audit.verify import verify_export
from portal.models import Action, AuditEvent, User
from portal.reading.events import page, stream
from portal.reading.filters import Filter

ROUNDS = 40
WARMING = 5
PEOPLE_ASKED_FOR = 100
EXPORT = Path(os.environ["PORTAL_DATA_DIR"]) / "export.jsonl"

Question = tuple[Filter, int | None]


def questions(size: int, chance: random.Random) -> dict[str, Callable[[], Question]]:
    """What is asked for, each time with other values: a filter, and before which event."""

    def somebody() -> str:
        return manylog.person(int(PEOPLE_ASKED_FOR * chance.random()))

    def some_week() -> Question:
        since = datetime.now(UTC) - timedelta(days=chance.uniform(8, 350))
        return Filter(since=since, until=since + timedelta(days=7)), None

    def some_token() -> str:
        return manylog.token_name(chance.randrange(size // len(manylog.LIFE)))

    return {
        "first page": lambda: (Filter(), None),
        "a page in the middle": lambda: (Filter(), chance.randrange(size // 4, 3 * size // 4)),
        "team": lambda: (Filter(team=manylog.team(chance.randrange(manylog.TEAMS))), None),
        "person and action": lambda: (
            Filter(actor=somebody(), action=chance.choice(manylog.LIFE)),
            None,
        ),
        "person and a rare action": lambda: (
            Filter(actor=somebody(), action=Action.TOKEN_FAILED),
            None,
        ),
        "a week": some_week,
        "name": lambda: (Filter(q=some_token()), None),
        "beginning of a name": lambda: (Filter(q=some_token()[:6]), None),
    }


def fill(size: int) -> dict[str, Any]:
    began = time.monotonic()
    manylog.fill(size)
    return {"seconds": time.monotonic() - began}


def read(size: int) -> dict[str, Any]:
    """Milliseconds of the query functions, and of the whole page, for each question."""
    chance = random.Random(7)
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(email="auditor@example.com"))
    found = {}
    for name, ask in questions(size, chance).items():
        asked, pages = [], []
        for number in range(WARMING + ROUNDS):
            wanted, before = ask()
            began = time.perf_counter()
            page(wanted, before=before)
            asked.append(1000 * (time.perf_counter() - began))
            fields = wanted.terms() | ({"before": str(before)} if before else {})
            began = time.perf_counter()
            answer = client.get("/audit/", fields)
            pages.append(1000 * (time.perf_counter() - began))
            if answer.status_code != 200:
                raise RuntimeError(f"{name}: {answer.status_code}")
            if number < WARMING:
                asked.clear()
                pages.clear()
        found[name] = {
            "query_p50_ms": statistics.median(asked),
            "query_p95_ms": statistics.quantiles(asked, n=20)[-1],
            "page_p95_ms": statistics.quantiles(pages, n=20)[-1],
        }
    return found


def export(_size: int) -> dict[str, Any]:
    """The whole log as the page streams it, into a file."""
    head, at = read_head()
    with EXPORT.open("wb") as file, _timed(head.seq) as measured:
        links = stream(Filter(), list(Link._fields), up_to=head.seq)
        for piece in export_lines(
            (Link(*link) for link in links), key=keys.current(), filters={}, head=head, at=at
        ):
            file.write(piece)
    return measured


def verify_file(_size: int) -> dict[str, Any]:
    with EXPORT.open("rb") as file, _timed(read_head()[0].seq) as measured:
        verify_export(file, keys.every(), {})
    return measured | {"bytes": EXPORT.stat().st_size}


def verify_log(_size: int) -> dict[str, Any]:
    with _timed(read_head()[0].seq) as measured:
        verify_database(keys.every(), {})
    return measured


def append(_size: int) -> dict[str, Any]:
    """One of several writers: event after event, each in a transaction of its own.

    Says when it is ready, and waits for a line, so that all begin at once.
    """
    AuditEvent.objects.first()  # connects
    print("ready", flush=True)
    sys.stdin.readline()
    end, written = time.monotonic() + float(sys.argv[3]), 0
    while time.monotonic() < end:
        with transaction.atomic():
            audit.record(Action.ACCESS_CHANGED, actor=SYSTEM, subject="+ team bench")
        written += 1
    return {"events": written}


@contextlib.contextmanager
def _timed(events: int) -> Iterator[dict[str, Any]]:
    measured: dict[str, Any] = {}
    began, cpu = time.perf_counter(), time.process_time()
    yield measured
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    measured |= {
        "seconds": seconds,
        "events_per_second": events / seconds,
        "events_per_cpu_second": events / cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


STEPS = {step.__name__: step for step in (fill, read, export, verify_file, verify_log, append)}


def main() -> None:
    print(json.dumps(STEPS[sys.argv[1]](int(sys.argv[2]))))
