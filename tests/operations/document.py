"""What docs/OPERATIONS.md tells people to type, as it stands there."""

import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "OPERATIONS.md"

_BLOCK = re.compile(
    r"^```(?P<language>\w*)\n(?P<fenced>.*?)^```$"
    r"|(?<=\n\n)(?P<indented>    [^\n]*\n(?:(?:    [^\n]*)?\n)*)",
    re.MULTILINE | re.DOTALL,
)
_INLINE = re.compile(r"`((?:portal-manage|curl) [^`]+)`")
_ROW = re.compile(r"^\| `manage\.py ([^`]+)` \|", re.MULTILINE)
_OPTIONAL = re.compile(r"\s*\[[^]]*\]")


@dataclass(frozen=True, slots=True)
class Block:
    """``text`` without its indentation; ``language`` as a fence names it, or nothing."""

    language: str
    text: str

    @property
    def first(self) -> str:
        """Its first two words, by which one is told from the others."""
        return " ".join(self.text.split()[:2])


def blocks(text: str) -> list[Block]:
    """Fenced and indented blocks, in their order."""
    found = []
    for one in _BLOCK.finditer(text):
        if one["fenced"] is not None:
            found.append(Block(one["language"], one["fenced"]))
        else:
            lines = [line[4:].rstrip() for line in one["indented"].rstrip().splitlines()]
            found.append(Block("", "\n".join(lines) + "\n"))
    return found


def inline(text: str) -> list[str]:
    """Commands within sentences, each once."""
    return list(dict.fromkeys(_INLINE.findall(text)))


def commands(text: str) -> list[str]:
    """What the table of ``manage.py``'s commands lists, without what may be left out."""
    return [_OPTIONAL.sub("", row.replace("\\|", "|")) for row in _ROW.findall(text)]
