"""What a benchmark says: a table for people, JSON under var/bench for programs."""

import json
import os
import platform
import resource
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests import pages

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


@dataclass(frozen=True, slots=True)
class _Cpu:
    """CPU seconds of this machine since it was started."""

    everything: float
    busy: float
    stolen: float
    ours: float

    @classmethod
    def now(cls) -> "_Cpu":
        line = Path("/proc/stat").read_text().partition("\n")[0]
        hertz = os.sysconf("SC_CLK_TCK")
        # user, nice, system, idle, iowait, irq, softirq, steal: proc_stat(5)
        times = [float(one) / hertz for one in line.split()[1:9]]
        own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return cls(
            everything=sum(times),
            busy=sum(times) - times[3] - times[4] - times[7],
            stolen=times[7],
            ours=sum(one.ru_utime + one.ru_stime for one in own),
        )


class Load:
    """How busy this machine was with anything else. To be asked when all our processes ended: only
    then does the system count them as ours."""

    def __init__(self) -> None:
        self._before = _Cpu.now()

    def describe(self) -> dict[str, float]:
        before, now = self._before, _Cpu.now()
        everything = now.everything - before.everything
        others = (now.busy - before.busy) - (now.ours - before.ours)
        return {
            "cpu_of_others_percent": round(100 * max(0.0, others) / everything, 1),
            "cpu_stolen_percent": round(100 * (now.stolen - before.stolen) / everything, 1),
        }


def machine_in_words(load: Mapping[str, Any]) -> str:
    """One sentence: what it ran on, and how busy that was with anything else."""
    facts, others = machine(), load["cpu_of_others_percent"]
    return (
        f"{facts['cores']} cores ({facts['cpu']}), {facts['memory_gib']} GiB, Python "
        f"{facts['python']}; other processes took {others} % of the CPU time."
    )


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


def publish(name: str, lines: Iterable[str]) -> None:
    """Write a benchmark's tables into docs/PERFORMANCE.md; they name the machine themselves."""
    pages.write(pages.DOCS / "PERFORMANCE.md", name, lines, command="make bench")


def write(name: str, content: Mapping[str, Any]) -> Path:
    """Write the JSON of a benchmark; the last run replaces the one before."""
    DIRECTORY.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = DIRECTORY / f"{name}.json"
    said = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **content}
    path.write_text(json.dumps(said, indent=1) + "\n")
    return path
