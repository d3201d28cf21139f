"""How the audit log grows: reading, exporting, verifying and writing from 10,000 events on.

Every length is a database of its own, filled with chained events of one year. Reading is timed in a
process as the web process does it: the questions alone, and whole pages.

``make bench`` goes to a million; ``python -m bench.audit_scale --most 10000000 --docs`` goes on and
writes the tables into docs/PERFORMANCE.md. With ``--keep DIRECTORY`` the logs stay there, and are
not filled again the next time.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench import report
from bench.report import Target
from tests.servers import Postgres

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
MOST_ON_SQLITE = 1_000_000
MOST_VERIFIED = 1_000_000
"""Events in a database that is verified: every one costs the same, and that is minutes for more."""
WRITERS, APPEND_SECONDS = 8, 6.0
STEP = "import django; django.setup(); from bench import logtimes; logtimes.main()"
PERFORMANCE = Path(__file__).resolve().parents[1] / "docs" / "PERFORMANCE.md"
MARKS = ("<!-- audit_scale: written by the benchmark -->", "<!-- /audit_scale -->")
SECRET = "a secret of the benchmark, kept with the logs that it has filled"


@dataclass(frozen=True, slots=True)
class Log:
    """One log, in one database, and the directory that the portal would keep its files in."""

    engine: str
    size: int
    directory: Path
    url: str = ""

    def step(self, name: str, *arguments: object) -> "subprocess.Popen[str]":
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-c", STEP, name, str(self.size), *map(str, arguments)],
            env={
                **environment,
                "DJANGO_SETTINGS_MODULE": "portal.settings",
                "PORTAL_DATA_DIR": str(self.directory),
                "PORTAL_EMBEDDED": "1",
                "AUDIT_KEY": SECRET,
                **({"DATABASE_URL": self.url} if self.url else {}),
            },
            cwd=PERFORMANCE.parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, name: str) -> dict[str, Any]:
        report.progress(f"{self.engine}, {self.size:,}: {name.replace('_', ' ')}")
        return _answer(self.step(name))

    def append(self) -> dict[str, Any]:
        """Eight writers at once."""
        report.progress(f"{self.engine}, {self.size:,}: append")
        writers = [self.step("append", APPEND_SECONDS) for _ in range(WRITERS)]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()  # it is ready
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("\n")
            writer.stdin.flush()
        events = sum(_answer(writer)["events"] for writer in writers)
        return {"events_per_second": events / APPEND_SECONDS}


def _answer(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a step ended with {process.returncode}")
    answer: dict[str, Any] = json.loads(out)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=1_000_000, help="the longest log")
    parser.add_argument("--engine", choices=ENGINES, help="only one of them")
    parser.add_argument("--keep", type=Path, help="where logs stay, to be measured again")
    parser.add_argument("--docs", action="store_true", help="write docs/PERFORMANCE.md")
    options = parser.parse_args()
    load = report.Load()
    with _directory(options.keep) as directory:
        measured = [
            _measure(log)
            for engine, logs in ENGINES.items()
            if options.engine in (None, engine)
            for log in logs(directory, options.most)
        ]
    facts = {"machine": report.machine(), "load": load.describe()}
    tables = _tables(measured)
    for title, headings, lines in tables:
        report.show(title, headings, lines)
    print()
    targets = _targets(measured)
    for target in targets:
        print(f"  {target}")
    content = {
        **facts,
        "logs": measured,
        "targets": [{"what": one.what, "reached": one.reached} for one in targets],
    }
    print(f"\n  written to {report.write('audit_scale', content)}")
    if options.docs:
        _write_docs(tables, targets, facts)


@contextlib.contextmanager
def _directory(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    directory = Path(tempfile.mkdtemp(prefix="portal-audit-scale-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _on_sqlite(directory: Path, most: int) -> Iterator[Log]:
    for size in SIZES:
        if size <= min(most, MOST_ON_SQLITE):
            yield Log("SQLite", size, directory / f"sqlite-{size}")


def _on_postgresql(directory: Path, most: int) -> Iterator[Log]:
    server = Postgres(directory)
    server.start()
    try:
        for size in SIZES:
            if size <= most:
                yield Log(
                    "PostgreSQL", size, directory / f"postgresql-{size}", _database(server, size)
                )
    finally:
        server.stop()


def _database(server: Postgres, size: int) -> str:
    """The URL of a database of its own, made if it is not there."""
    name, until = f"audit_{size}", time.monotonic() + 60
    while True:
        try:
            with psycopg.connect(server.url, autocommit=True) as connection:
                with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                    connection.execute(f"CREATE DATABASE {name}")
                return f"{server.url.rpartition('/')[0]}/{name}"
        except psycopg.OperationalError:  # a cluster that was filled before takes a while to start
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _measure(log: Log) -> dict[str, Any]:
    filled = log.directory / "filled"
    if not filled.exists():
        log.directory.mkdir(mode=0o700, exist_ok=True)
        log.run("fill")
        filled.touch()
    measured = {
        "engine": log.engine,
        "events": log.size,
        "read": log.run("read"),
        "export": log.run("export"),
        "verify_export": log.run("verify_file"),
        **({"verify_database": log.run("verify_log")} if log.size <= MOST_VERIFIED else {}),
        "append": log.append(),
    }
    (log.directory / "export.jsonl").unlink()
    return measured


ENGINES = {"SQLite": _on_sqlite, "PostgreSQL": _on_postgresql}

# -- What it says -------------------------------------------------------------------------------

Table = tuple[str, list[str], list[list[str]]]


def _tables(measured: list[dict[str, Any]]) -> list[Table]:
    tables = []
    for engine in dict.fromkeys(one["engine"] for one in measured):
        logs = [one for one in measured if one["engine"] == engine]
        sizes = [f"{one['events']:,}" for one in logs]
        first, last = logs[0]["read"], logs[-1]["read"]
        tables.append(
            (
                f"{engine}: reading, ms at the median (the whole page's p95)",
                ["", *sizes, "last / first"],
                [
                    [
                        name,
                        *(
                            f"{log['read'][name]['query_p50_ms']:.1f} "
                            f"({log['read'][name]['page_p95_ms']:.0f})"
                            for log in logs
                        ),
                        f"{_ratio(first, last, name):.2f}",
                    ]
                    for name in first
                ],
            )
        )
        tables.append(
            (
                f"{engine}: events per second",
                ["", *sizes],
                [
                    ["export to JSON Lines", *_rates(logs, "export")],
                    ["  its memory at most, MB", *_memory(logs, "export")],
                    ["verify an export, per core", *_rates(logs, "verify_export")],
                    ["  its memory at most, MB", *_memory(logs, "verify_export")],
                    ["verify the database", *_rates(logs, "verify_database")],
                    ["  its memory at most, MB", *_memory(logs, "verify_database")],
                    [f"append, {WRITERS} writers", *_rates(logs, "append")],
                ],
            )
        )
    return tables


def _ratio(first: dict[str, Any], last: dict[str, Any], name: str) -> float:
    ratio: float = last[name]["query_p50_ms"] / first[name]["query_p50_ms"]
    return ratio


def _rates(logs: list[dict[str, Any]], what: str) -> list[str]:
    return [f"{log[what]['events_per_second']:,.0f}" if what in log else "–" for log in logs]


def _memory(logs: list[dict[str, Any]], what: str) -> list[str]:
    return [f"{log[what]['peak_mb']:.0f}" if what in log else "–" for log in logs]


def _targets(measured: list[dict[str, Any]]) -> list[Target]:
    logs = [one for one in measured if one["engine"] == "PostgreSQL"] or measured
    first, last = logs[0], logs[-1]
    by_name = {"name", "beginning of a name"}
    return [
        *(
            Target(
                f"{name}, {last['events']:,} over {first['events']:,} events",
                _ratio(first["read"], last["read"], name),
                5.0 if name in by_name else 1.5,
                unit="times",
            )
            for name in first["read"]
        ),
        Target(
            "the slowest page's p95",
            max(one["page_p95_ms"] for log in logs for one in log["read"].values()),
            50,
        ),
        Target(
            "export per second",
            last["export"]["events_per_second"],
            100_000,
            unit="events",
            at_least=True,
        ),
        Target("memory of an export", last["export"]["peak_mb"], 150, unit="MB"),
        Target(
            f"appended per second by {WRITERS} writers",
            last["append"]["events_per_second"],
            500,
            unit="events",
            at_least=True,
        ),
    ]


def _write_docs(tables: list[Table], targets: list[Target], facts: dict[str, Any]) -> None:
    machine, load = facts["machine"], facts["load"]
    text = [
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {machine['cores']} cores, "
        f"{machine['memory_gib']:.0f} GiB; other processes took {load['cpu_of_others_percent']} % "
        "of the machine meanwhile."
    ]
    for title, headings, lines in tables:
        text.append(f"| {title} | {' | '.join(headings[1:])} |")
        text[-1] += f"\n|{' --- |' * len(headings)}"
        text[-1] += "".join(f"\n| {' | '.join(cell.strip() for cell in line)} |" for line in lines)
    missed = [f"- {target}" for target in targets if not target.reached]
    text.append("\n".join(["Not reached:", "", *missed]) if missed else "All aims were reached.")
    begin, end = MARKS
    between = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    content = "\n\n".join([begin, *text, end])
    PERFORMANCE.write_text(between.sub(lambda _: content, PERFORMANCE.read_text()))


if __name__ == "__main__":
    main()
