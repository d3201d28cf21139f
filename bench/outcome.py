"""What issue_latency measured, as tables, targets and JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench import report
from bench.report import Row, Target
from tests import pages

AWS_MS = 150.0
"""What the sandbox takes for a create; overhead is what goes beyond."""
PEOPLE = 20

CLI, BOTO3, BARE = "AWS CLI", "boto3, warm", "the portal's bare client"
PORTAL, PORTAL_NO_PAGE = "portal", "portal, page not loaded"
BROWSER = "portal in Chromium, click to key"

ONE = "One person"
STEADY = f"{PEOPLE} people, each in their own time"
BURST = f"{PEOPLE} people at the same instant"
COLD = f"{PEOPLE} people at the same instant, right after a start"

HEADINGS = ("", "n", "p50", "p95", "over p50", "over p95", "CLI's / its", "lone CLI's / its")
SMALLEST_MS = 0.1
"""An overhead below it is counted as it: ratios to next to nothing say nothing."""


@dataclass(slots=True)
class Samples:
    """All that was measured, in seconds, by group and who."""

    taken: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, group: str, who: str, seconds: Sequence[float]) -> None:
        self.taken.setdefault((group, who), []).extend(seconds)

    def rows(self) -> dict[tuple[str, str], Row]:
        return {
            (group, who): Row(group, who, [1000 * one for one in seconds])
            for (group, who), seconds in self.taken.items()
        }


def tell(samples: Samples, *, facts: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Print everything, and write it."""
    rows = samples.rows()
    said = [_as_json(row, rows) for row in rows.values()]
    for group in (ONE, STEADY, BURST, COLD):
        report.show(
            f"{group} (milliseconds)",
            HEADINGS,
            [_cells(one) for one in said if one["group"] == group],
        )
    targets = _targets(rows)
    print(
        "\nover: beyond the 150 ms that the sandbox takes. CLI's / its: the AWS CLI's overhead p50 "
        "under the\nsame load over this one's; lone CLI's: over the overhead p50 of a CLI that has "
        "the machine to itself.\n"
    )
    for name, fact in {**model, **facts}.items():
        print(f"  {name.replace('_', ' ')}: {_words(fact)}")
    print()
    for target in targets:
        print(f"  {target}")
    path = report.write(
        "issue_latency",
        {
            **facts,
            "model": model,
            "rows": said,
            "targets": [
                {"what": one.what, "measured": round(one.measured, 1), "limit": one.limit}
                | {"unit": one.unit, "reached": one.reached}
                for one in targets
            ],
        },
    )
    report.publish("issue-latency", _lines(said, targets, facts))
    print(f"\n  written to {path} and docs/PERFORMANCE.md")


def _lines(
    said: Sequence[Mapping[str, Any]], targets: Sequence[Target], facts: Mapping[str, Any]
) -> Iterator[str]:
    """What docs/PERFORMANCE.md shows of it."""
    yield f"The {facts['stack']} stack. {report.machine_in_words(facts['machine'])}"
    yield ""
    headings = ("", "n", "p50 ms", "p95 ms", "over the 150 ms, p50", "p95", "CLI's over this")
    yield from pages.table(
        headings,
        (
            (
                f"{one['group']}: {one['who']}",
                one["n"],
                one["p50_ms"],
                one["p95_ms"],
                one["overhead_p50_ms"],
                one["overhead_p95_ms"],
                one["cli_over_this"] or "-",
            )
            for one in said
        ),
    )
    yield ""
    for target in targets:
        yield f"- {target}"
    yield ""
    for name in ("portal_steps_of_one_person_p50_ms", "cpu_ms_per_token_of_20_people", "versions"):
        yield f"- {name.replace('_', ' ')}: {_words(facts[name])}"


def _as_json(row: Row, rows: Mapping[tuple[str, str], Row]) -> dict[str, Any]:
    same_load, lone = rows.get((row.group, CLI)), rows[ONE, CLI]
    return {
        "group": row.group,
        "who": row.who,
        "n": len(row.samples),
        "p50_ms": round(row.p50, 1),
        "p95_ms": round(row.p95, 1),
        "overhead_p50_ms": round(_over(row.p50), 1),
        "overhead_p95_ms": round(_over(row.p95), 1),
        "cli_over_this": round(_ratio(same_load, row), 1) if same_load else None,
        "lone_cli_over_this": round(_ratio(lone, row), 1),
        "samples_ms": [round(one, 1) for one in row.samples],
    }


def _cells(said: Mapping[str, Any]) -> list[str]:
    _group, who, *numbers, _samples = said.values()
    return [who, *("-" if number is None else f"{number}" for number in numbers)]


def _targets(rows: Mapping[tuple[str, str], Row]) -> list[Target]:
    one, steady, burst = (rows[group, PORTAL] for group in (ONE, STEADY, BURST))
    return [
        Target("overhead p50, one person", _over(one.p50), 60),
        Target(f"overhead p95, {STEADY}", _over(steady.p95), 120),
        Target(f"overhead p95, {BURST}", _over(burst.p95), 120),
        *(
            Target(
                f"the CLI's overhead over the portal's, {row.group}",
                _ratio(rows[row.group, CLI], row),
                10,
                unit="times",
                at_least=True,
            )
            for row in (one, steady, burst)
        ),
    ]


def _over(milliseconds: float) -> float:
    return milliseconds - AWS_MS


def _ratio(cli: Row, row: Row) -> float:
    return _over(cli.p50) / max(_over(row.p50), SMALLEST_MS)


def _words(fact: object) -> str:
    if isinstance(fact, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {one}" for name, one in fact.items())
    return str(fact)
