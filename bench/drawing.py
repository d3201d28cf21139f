"""Lines over time as an SVG picture: a panel for each question, as Grafana lays them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

COLOURS = ("#3274d9", "#e02f44", "#37872d", "#b877d9", "#ff9830", "#1f9e9e", "#8f3bb8", "#705da0")
GAP, TITLE, LEFT = 8, 24, 56
LEGEND_LINE = 13
UNITS = {"s": " s", "MB": " MB", "short": ""}

Line = Sequence[tuple[float, float]]
"""Seconds and values."""


@dataclass(frozen=True, slots=True)
class Panel:
    """``place`` is x, y, width, height in pixels; one that is ``single`` shows its last value."""

    title: str
    place: tuple[float, float, float, float]
    unit: str
    lines: Mapping[str, Line] = field(default_factory=dict)
    single: bool = False


def picture(panels: Sequence[Panel], *, width: int, height: int, told: str) -> str:
    """All panels, and a line at the foot that tells what is seen."""
    body = "".join(_panel(panel) for panel in panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + 24}" '
        f'font-family="sans-serif" font-size="11" role="img" aria-label="{escape(told)}">\n'
        f'<rect width="100%" height="100%" fill="#f4f5f5"/>\n{body}'
        f'<text x="{GAP}" y="{height + 15}" fill="#444">{escape(told)}</text>\n</svg>\n'
    )


def _panel(panel: Panel) -> str:
    x, y, wide, high = panel.place
    wide, high = wide - GAP, high - GAP
    parts = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{high:.0f}" fill="white" '
        'stroke="#d8d9da"/>',
        _text(x + GAP, y + 16, panel.title, weight="bold"),
    ]
    drawn = {name: line for name, line in panel.lines.items() if line}
    if not drawn:
        parts.append(_text(x + GAP, y + high / 2 + 8, "no data", fill="#888"))
    elif panel.single:
        [value, *_] = [line[-1][1] for line in drawn.values()]
        parts.append(_text(x + GAP, y + high / 2 + 20, _said(value, panel.unit), size=26))
    else:
        parts += _lines(panel, drawn, x, y, wide, high)
    return "\n".join(parts) + "\n"


def _lines(
    panel: Panel, drawn: Mapping[str, Line], x: float, y: float, wide: float, high: float
) -> list[str]:
    named = [name for name in drawn if name][:6]
    foot = GAP + LEGEND_LINE * ((len(named) + 1) // 2)
    left, top, right, bottom = x + LEFT, y + TITLE + 4, x + wide - GAP, y + high - foot
    first = min(line[0][0] for line in drawn.values())
    last = max(max(line[-1][0] for line in drawn.values()), first + 1)
    most = max(max(value for _, value in line) for line in drawn.values()) * 1.1 or 1.0
    parts = []
    for share in (0.0, 0.5, 1.0):
        at = bottom - share * (bottom - top)
        parts.append(
            f'<line x1="{left:.0f}" x2="{right:.0f}" y1="{at:.0f}" y2="{at:.0f}" stroke="#e5e5e5"/>'
        )
        parts.append(_text(left - 4, at + 4, _said(share * most, panel.unit), anchor="end"))
    for number, (_name, line) in enumerate(drawn.items()):
        points = " ".join(
            f"{left + (when - first) / (last - first) * (right - left):.1f},"
            f"{bottom - value / most * (bottom - top):.1f}"
            for when, value in line
        )
        colour = COLOURS[number % len(COLOURS)]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
    for number, name in enumerate(named):
        where = x + GAP + (number % 2) * (wide / 2)
        row = bottom + 12 + LEGEND_LINE * (number // 2)
        parts.append(_text(where, row, name, fill=COLOURS[number % len(COLOURS)]))
    return parts


def _said(value: float, unit: str) -> str:
    digits = 0 if value >= 20 or value == int(value) else 2
    return f"{value:.{digits}f}{UNITS.get(unit, '')}"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 11,
    fill: str = "#222",
    anchor: str = "start",
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
