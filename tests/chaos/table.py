"""Writes what `make chaos` saw into docs/RELIABILITY.md, between its markers.

Reads what the runs have left under var/chaos: the matrix and the storm as JSON, and pytest's report
for the rows that are tests of their own (cut database connections).
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from tests.product import ROOT
from tests.reliability.matrix import FAULTS

RESULTS = ROOT / "var" / "chaos"
PAGE = ROOT / "docs" / "RELIABILITY.md"
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
    "senseless": "requests whose events make no sense",
}


def main() -> int:
    page = PAGE.read_text()
    page = put(page, "matrix", [*matrix(), "", *cuts()])
    page = put(page, "storm", storm())
    PAGE.write_text(page)
    sys.stdout.write(f"written into {PAGE.relative_to(ROOT)}\n")
    return 0


def put(page: str, name: str, lines: Iterable[str]) -> str:
    """The page with these lines between the markers of this name. Raises ValueError without."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = page.partition(begin)
    _, found_too, after = rest.partition(end)
    if not found or not found_too:
        raise ValueError(f"{PAGE} has no place for the {name}")
    day = datetime.now(UTC).date().isoformat()
    return "\n".join([f"{before}{begin}", f"Written by `make chaos`, {day}.", "", *lines, ""]) + (
        f"{end}{after}"
    )


def matrix() -> Iterator[str]:
    yield from _head(HEADINGS)
    seen = {stack: json.loads(_result(f"matrix-{stack}.json"))["rows"] for stack in STACKS}
    for fault in FAULTS:
        for stack in STACKS:
            row = seen[stack][fault.id]
            yield _line(
                fault.what,
                stack,
                row["end"],
                f"{row['seconds']:.1f}",
                row["orphans"],
                row["deliveries"],
                _told(row),
            )


def cuts() -> Iterator[str]:
    """The rows that are tests: passed, or the run would have ended before it came here."""
    yield from _head(("fault", "stack", "tests passed"))
    for stack in STACKS:
        report = ElementTree.fromstring(_result(f"reliability-{stack}.xml"))
        passed: dict[str, int] = {}
        for case in report.iter("testcase"):
            if CUTS in case.get("classname", "") and len(case) == 0:
                name = PARAMETERS.sub("", case.get("name", ""))
                passed[name] = passed.get(name, 0) + 1
        for name, number in passed.items():
            yield _line(name.removeprefix("test_").replace("_", " "), stack, number)


def storm() -> Iterator[str]:
    counts = [json.loads(_result(f"storm-{stack}.json")) for stack in STACKS]
    yield from _head(("", *STACKS))
    for name, words in STORM.items():
        yield _line(words, *(count[name] for count in counts))


def _told(row: dict[str, Any]) -> str:
    said = [*row["told"], row["told_at_the_end"]]
    return " → ".join(dict.fromkeys(REQUEST_ID.sub("", one).strip() for one in said))


def _head(headings: tuple[str, ...]) -> Iterator[str]:
    yield _line(*headings)
    yield _line(*("---" for _ in headings))


def _line(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _result(name: str) -> str:
    return (RESULTS / name).read_text()


if __name__ == "__main__":
    sys.exit(main())
