"""One step of audit_scale, in a process of its own: ``fill``, ``read``, ``export`` and so on.

Each prints what it measured as JSON. Its own process says how much memory it took at most.
"""

import contextlib
import gc
import json
import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from portal.reading.events import PAGE_SIZE, page, stream
from portal.reading.filters import Filter

ROUNDS = 80
WARMING = 5
BUSIEST = 3
"""Of each of these people, a log of 10,000 events has more than a page of each usual action."""
QUIET = range(200, manylog.PEOPLE)
TEAMS_ASKED_FOR = 20
EXPORT = Path(os.environ["PORTAL_DATA_DIR"]) / "export.jsonl"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for, each time with other values: a filter, and before which event.

    ``is_full``: whether a log of any length fills the page, so that times of one length and of
    another are of the same work.
    """

    ask: Callable[[], tuple[Filter, int | None]]
    is_full: bool = True


def questions(size: int, chance: random.Random) -> dict[str, Question]:
    def busy() -> str:
        return manylog.person(chance.randrange(BUSIEST))

    def some_week() -> Filter:
        since = datetime.now(UTC) - timedelta(days=chance.uniform(8, 350))
        return Filter(since=since, until=since + timedelta(days=7))

    def some_token() -> str:
        return manylog.token_name(chance.randrange(size // len(manylog.LIFE)))

    return {
        "first page": Question(lambda: (Filter(), None)),
        "a page in the middle": Question(
            lambda: (Filter(), chance.randrange(size // 4, 3 * size // 4))
        ),
        "team": Question(
            lambda: (Filter(team=manylog.team(chance.randrange(TEAMS_ASKED_FOR))), None)
        ),
        "person and action": Question(
            lambda: (Filter(actor=busy(), action=chance.choice(manylog.LIFE)), None)
        ),
        "a week": Question(lambda: (some_week(), None)),
        # A name has the five events of its token, however long the log is.
        "name": Question(lambda: (Filter(q=some_token()), None), is_full=False),
        "beginning of a name": Question(lambda: (Filter(q=some_token()[:6]), None)),
        "a quiet person and action": Question(
            lambda: (
                Filter(
                    actor=manylog.person(chance.choice(QUIET)), action=chance.choice(manylog.LIFE)
                ),
                None,
            ),
            is_full=False,
        ),
        "a busy person and a rare action": Question(
            lambda: (Filter(actor=busy(), action=Action.TOKEN_FAILED), None), is_full=False
        ),
    }


def fill(size: int) -> dict[str, Any]:
    began = time.monotonic()
    manylog.fill(size)
    return {"seconds": time.monotonic() - began}


def read(size: int) -> dict[str, Any]:
    """Milliseconds of the query functions, and of the whole page, for each question.

    Garbage collection passes over what was loaded before, as in the web process.
    """
    chance = random.Random(7)
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(email="auditor@example.com"))
    client.get("/audit/")
    gc.freeze()
    found = {}
    for name, question in questions(size, chance).items():
        asked, pages, events = [], [], []
        for number in range(WARMING + ROUNDS):
            wanted, before = question.ask()
            began = time.perf_counter()
            events.append(len(page(wanted, before=before).events))
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
        if question.is_full and min(events) < PAGE_SIZE:
            raise RuntimeError(f"{name}: a page of {min(events)}, which says nothing of a full one")
        found[name] = {
            "query_p50_ms": statistics.median(asked),
            "query_p95_ms": statistics.quantiles(asked, n=20)[-1],
            "page_p95_ms": statistics.quantiles(pages, n=20)[-1],
            "events_found": statistics.mean(events),
        }
    return found


def export(_size: int) -> dict[str, Any]:
    """The whole log as the page streams it, into a file."""
    head, at = read_head()
    with EXPORT.open("wb") as file, _timed(head.seq) as measured:
        links = stream(Filter(), list(Link._fields), up_to=head.seq)
        for piece in export_lines(
            map(Link._make, links), key=keys.current(), filters={}, head=head, at=at
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
