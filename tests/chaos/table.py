"""Writes what `make chaos` saw into docs/RELIABILITY.md, between its markers.

Reads what the runs have left under var/chaos: the matrix and the storm as JSON, and pytest's report
for the rows that are tests of their own (cut database connections).
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree

from tests import pages
from tests.product import ROOT
from tests.reliability.matrix import FAULTS

RESULTS = ROOT / "var" / "chaos"
PAGE = pages.DOCS / "RELIABILITY.md"
STACKS = ("embedded", "production")
CUTS = "test_database_cut"
REQUEST_ID = re.compile(r" AWS request id: \S+\.")
PARAMETERS = re.compile(r"\[.*\]$")

HEADINGS = ("fault", "stack", "end", "seconds", "orphans", "deliveries", "what the person was told")
STORM = {
    "requests": "requests",
    "delivered": "delivered",
    "workers_killed": "worker processes killed with -9",
    "failed_after_the_effect": "creates that had an effect and answered 500",
    "attempts_more_than_one": "requests that took more than one attempt",
    "orphans_removed": "orphans found and removed on the way",
    "slowest_seconds": "slowest request, seconds",
    "lost": "lost",
    "orphans": "orphans left",
    "doubles": "delivered twice",
    "untold": "tokens that the audit log does not speak of",
    "senseless": "requests whose events contradict each other",
}


def main() -> int:
    write("matrix", [*matrix(), "", *cuts()])
    write("storm", storm())
    sys.stdout.write(f"written into {PAGE.relative_to(ROOT)}\n")
    return 0


def write(name: str, lines: Iterable[str]) -> None:
    pages.write(PAGE, name, lines, command="make chaos")


def matrix() -> Iterator[str]:
    seen = {stack: json.loads(_result(f"matrix-{stack}.json"))["rows"] for stack in STACKS}
    return pages.table(
        HEADINGS,
        (
            (
                fault.what,
                stack,
                (row := seen[stack][fault.id])["end"],
                f"{row['seconds']:.1f}",
                row["orphans"],
                row["deliveries"],
                _told(row),
            )
            for fault in FAULTS
            for stack in STACKS
        ),
    )


def cuts() -> Iterator[str]:
    """The rows that are tests: passed, or the run would have ended before it came here."""
    passed: dict[tuple[str, str], int] = {}
    for stack in STACKS:
        report = ElementTree.fromstring(_result(f"reliability-{stack}.xml"))
        for case in report.iter("testcase"):
            if CUTS in case.get("classname", "") and len(case) == 0:
                name = PARAMETERS.sub("", case.get("name", ""))
                what = name.removeprefix("test_").replace("_", " "), stack
                passed[what] = passed.get(what, 0) + 1
    rows = ((*what, number) for what, number in passed.items())
    return pages.table(("fault", "stack", "tests passed"), rows)


def storm() -> Iterator[str]:
    counts = [json.loads(_result(f"storm-{stack}.json")) for stack in STACKS]
    rows = ((words, *(count[name] for count in counts)) for name, words in STORM.items())
    return pages.table(("", *STACKS), rows)


def _told(row: dict[str, Any]) -> str:
    said = [*row["told"], row["told_at_the_end"]]
    return " → ".join(dict.fromkeys(REQUEST_ID.sub("", one).strip() for one in said))


def _result(name: str) -> str:
    return (RESULTS / name).read_text()


if __name__ == "__main__":
    sys.exit(main())
