"""Charts as shapes: what the templates put into SVG, and the same numbers as tables."""

from dataclasses import dataclass
from datetime import date, timedelta

from portal.reading.charts import Charts

MOST_SERIES = 5
"""Teams with a colour of their own; the others share one."""

MOST_CAUSES = 8
HEIGHT = 100.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One day's share of one team: its place in the drawing, and what to say of it."""

    series: int
    x: float
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Days:
    """Stacked bars, one for each day; ``rows`` holds the days that have any."""

    days: int
    bar_width: float
    top: int
    series: list[tuple[int, str, int]]
    bars: list[Bar]
    rows: list[tuple[date, list[int]]]
    marks: list[date]


@dataclass(frozen=True, slots=True)
class Row:
    """One bar that lies, with its share of the longest one in percent."""

    label: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """All charts of a page, and what they cover."""

    covered: Charts
    issued: Days
    failures: list[Row]
    remaining: list[Row]


def draw(numbers: Charts) -> Drawing:
    """Lay the bars out."""
    causes = numbers.failures[:MOST_CAUSES]
    if others := sum(count for _, count in numbers.failures[MOST_CAUSES:]):
        causes.append(("other causes", others))
    return Drawing(numbers, _days(numbers), _rows(causes), _rows(numbers.remaining))


def _rows(counts: list[tuple[str, int]]) -> list[Row]:
    longest = max((count for _, count in counts), default=0) or 1
    return [Row(label, count, round(100 * count / longest, 2)) for label, count in counts]


def _days(numbers: Charts) -> Days:
    first = numbers.since.astimezone(numbers.place).date()
    last = (numbers.until - timedelta(microseconds=1)).astimezone(numbers.place).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    totals: dict[str, int] = {}
    for counts in numbers.issued.values():
        for team, count in counts.items():
            totals[team] = totals.get(team, 0) + count
    ranked = sorted(totals, key=lambda team: (-totals[team], team))
    named, others = ranked[:MOST_SERIES], ranked[MOST_SERIES:]
    series = [(n, team, totals[team]) for n, team in enumerate(named, start=1)]
    if others:
        series.append((MOST_SERIES + 1, "other teams", sum(totals[team] for team in others)))
    stacks: dict[date, list[int]] = {}
    for day, counts in numbers.issued.items():
        rest = [sum(counts.get(team, 0) for team in others)] if others else []
        stacks[day] = [*(counts.get(team, 0) for team in named), *rest]
    top = max((sum(stack) for stack in stacks.values()), default=0)
    bar_width = 0.8 if len(days) <= 62 else 1.0
    bars = []
    for x, day in enumerate(days):
        base = HEIGHT
        for (number, team, _), count in zip(series, stacks.get(day, ()), strict=False):
            height = HEIGHT * count / top
            base -= height
            if count:
                title = f"{day:%Y-%m-%d}: {team}, {count}"
                bars.append(Bar(number, x, round(base, 2), round(height, 2), title))
    return Days(
        days=len(days),
        bar_width=bar_width,
        top=top,
        series=series,
        bars=bars,
        rows=sorted(stacks.items()),
        marks=[days[0], days[len(days) // 2], days[-1]] if len(days) > 2 else days,
    )
