"""The map of CONTRIBUTING.md: the rooms in their layers, as pyproject.toml orders them, with what
each says of itself. ``python -m tests.house`` draws it anew; tests/test_architecture.py compares.
"""

import ast
import tomllib
from collections.abc import Iterator

from tests import pages
from tests.product import ROOT

PAGE = ROOT / "CONTRIBUTING.md"


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
    return " ".join(said.split("\n\n")[0].split()).replace("``", "`")


def table() -> list[str]:
    rows = (
        (number, f"`{room}{'/' * (ROOT / 'portal' / room).is_dir()}`", said_by(room))
        for number, rooms in enumerate(layers(), 1)
        for room in rooms
    )
    return [*pages.table(("layer", "room", "what is there"), rows)]


if __name__ == "__main__":
    pages.write(PAGE, "rooms", table(), command="python -m tests.house")
