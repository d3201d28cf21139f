"""The map of CONTRIBUTING.md: the rooms in their layers, as pyproject.toml orders them, with what
each says of itself. ``python -m tests.house`` draws it anew; tests/test_architecture.py compares.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.product import ROOT

PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- rooms:begin -->\n", "<!-- rooms:end -->\n"


def layers() -> Iterator[list[str]]:
    """The rooms of each layer, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for layer in settings["tool"]["importlinter"]["contracts"][0]["layers"]:
        yield layer.split(" | ")


def said_by(room: str) -> str:
    """The first paragraph of the room's docstring; empty where it has none."""
    path = ROOT / "portal" / room
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(said.split("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


def lines() -> Iterator[str]:
    yield "| layer | room | what is there |"
    yield "| --- | --- | --- |"
    for number, rooms in enumerate(layers(), 1):
        for room in rooms:
            slash = "/" * (ROOT / "portal" / room).is_dir()
            yield f"| {number} | `{room}{slash}` | {said_by(room)} |"


def drawn() -> str:
    return "".join(f"{line}\n" for line in lines())


def draw(page: Path = PAGE) -> None:
    text = page.read_text()
    page.write_text(re.sub(f"(?<={BEGIN}).*(?={END})", lambda _: drawn(), text, flags=re.DOTALL))


if __name__ == "__main__":
    draw()
