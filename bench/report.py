"""What a benchmark says: a table for people, JSON under var/bench for programs."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).resolve().parents[1] / "var" / "bench"


def quantile(samples: Sequence[float], share: float) -> float:
    """The value that ``share`` of the samples do not exceed, interpolated between neighbours."""
    ordered = sorted(samples)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@dataclass(frozen=True, slots=True)
class Row:
    """Samples, in milliseconds, of somebody doing something under some load."""

    group: str
    who: str
    samples: Sequence[float]

    @property
    def p50(self) -> float:
        return statistics.median(self.samples)

    @property
    def p95(self) -> float:
        return quantile(self.samples, 0.95)


@dataclass(frozen=True, slots=True)
class Target:
    """Something to reach. A benchmark only says whether it was."""

    what: str
    measured: float
    limit: float
    unit: str = "ms"
    at_least: bool = False

    @property
    def reached(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        return (
            f"{'reached' if self.reached else 'MISSED ':<8} {self.what}: "
            f"{self.measured:.1f} {self.unit}, to be {bound} {self.limit:g} {self.unit}"
        )


@dataclass(slots=True)
class Load:
    """How busy this machine was with anything else while a benchmark ran."""

    _at_start: tuple[float, float] = field(default_factory=lambda: _stolen_and_all())

    def describe(self) -> dict[str, Any]:
        stolen, everything = (
            now - before for now, before in zip(_stolen_and_all(), self._at_start, strict=True)
        )
        return {
            "load_average": [round(one, 2) for one in os.getloadavg()],
            "stolen_percent": round(100 * stolen / everything, 2) if everything else 0.0,
        }


def _stolen_and_all() -> tuple[float, float]:
    """CPU time that the host gave to others, and all there was; see proc_stat(5)."""
    ticks = [float(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[7], sum(ticks)


def machine() -> dict[str, Any]:
    """The facts of this machine without which a time says little."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu,
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def progress(what: str) -> None:
    """Tell who waits what is being done; not part of the report."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {what} ...", file=sys.stderr, flush=True)


def show(title: str, headings: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    cells = [list(headings), *(list(line) for line in lines)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    print(f"\n{title}")
    for line in cells:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(["", first, *rest]).rstrip())


def write(name: str, content: Mapping[str, Any]) -> Path:
    """Write the JSON of a benchmark; the last run replaces the one before."""
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = DIRECTORY / f"{name}.json"
    said = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **content}
    path.write_text(json.dumps(said, indent=1) + "\n")
    return path
