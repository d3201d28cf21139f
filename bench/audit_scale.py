"""How the audit log grows: reading, exporting, verifying and writing from 10,000 events on.

Every length is a database of its own, filled with chained events of one year. Reading is timed in a
process as the web process does it: the questions alone, and whole pages.

``make bench`` goes to a million; ``python -m bench.audit_scale --most 10000000 --docs`` goes on and
writes the tables into docs/PERFORMANCE.md. With ``--keep DIRECTORY`` the logs stay there, and are
not filled again the next time.
"""

import argparse
import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import report
from bench.biglogs import ENGINES, WRITERS, Log
from bench.report import Target

MOST_VERIFIED = 1_000_000
"""Events in a database that is verified: every one costs the same, and that is minutes for more."""
PAGE_SIZE = 50
AIMS = {
    **dict.fromkeys(
        ("first page", "a page in the middle", "team", "person and action", "a week"), 1.5
    ),
    **dict.fromkeys(("name", "beginning of a name"), 5.0),
}
"""How many times as long a question may take in the longest log as in the shortest. In both it
finds as much; questions of which that is not true are measured, and compared with nothing."""
PERFORMANCE = Path(__file__).resolve().parents[1] / "docs" / "PERFORMANCE.md"
MARKS = ("<!-- audit_scale: written by the benchmark -->", "<!-- /audit_scale -->")


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


def _measure(log: Log) -> dict[str, Any]:
    log.warm()
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
                            + _how_many(log["read"][name])
                            for log in logs
                        ),
                        f"{_ratio(first, last, name):.2f}" if name in AIMS else "–",
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


def _how_many(read: dict[str, float]) -> str:
    """How many events a page had, where it was not full."""
    found = read["events_found"]
    return "" if found == PAGE_SIZE else f", finds {found:.0f}"


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
    return [
        *(
            Target(
                f"{name}, {last['events']:,} over {first['events']:,} events",
                _ratio(first["read"], last["read"], name),
                aim,
                unit="times",
            )
            for name, aim in AIMS.items()
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
