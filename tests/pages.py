"""Tables that a run writes into a page under docs/, between that page's markers."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.product import ROOT

DOCS = ROOT / "docs"


def write(page: Path, name: str, lines: Iterable[str], *, command: str) -> None:
    """Replace what stands between the markers of this name. Raises ValueError without them."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = page.read_text().partition(begin)
    _, found_too, after = rest.partition(end)
    if not found or not found_too:
        raise ValueError(f"{page} has no place for {name}")
    told = f"Written by `{command}`, {datetime.now(UTC).date().isoformat()}."
    page.write_text("\n".join([f"{before}{begin}", told, "", *lines, f"{end}{after}"]))


def table(headings: Iterable[object], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A Markdown table, line by line."""
    headings = list(headings)
    yield _line(headings)
    yield _line("---" for _ in headings)
    for row in rows:
        yield _line(row)


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
