"""YAML with the place where each thing stands, and each text as it is written.

PyYAML's own construction forgets the places, silently drops the first of two equal keys, and makes
numbers, dates and booleans of names such as ``010``, ``2024-01-01`` and ``on``
(docs/decisions/0017-names-as-they-are-written.md). What is read is bounded before anything is made
of it (portal.access.bounds).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from portal.access.bounds import LOADER, not_yaml, require_bounded
from portal.access.entries import AccessFileError, Place, Problem
from portal.text import name_of

_MOST_PROBLEMS = 100

_STEERING = re.compile(
    "[\\0-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]|\\r(?!\\n)"
)
"""What makes a file read otherwise than it looks, in a comment too (CVE-2021-42574): directions of
writing, and line ends that YAML knows and a reviewer's editor may not show."""

_TAG = "tag:yaml.org,2002:"
_MAPPING = f"{_TAG}map"
_SEQUENCE = f"{_TAG}seq"
_MERGE = f"{_TAG}merge"
_SCALARS = {"str", "int", "float", "bool", "null", "timestamp", "value", "merge"}


@dataclass(frozen=True, slots=True)
class Item:
    """A value of the document: a text, a list of items, or a mapping's pairs of items.

    A scalar is the text that stands in the file, whatever YAML would make of it; ``kind`` says what
    that is (``str``, ``int``, ``bool``, ``null`` ...).
    """

    value: Any
    line: int
    column: int
    kind: str = ""

    @property
    def is_missing(self) -> bool:
        """Nothing stands there, or what YAML takes for nothing (``null``, ``~``)."""
        return self.value is None or self.kind == "null"

    def at(self, path: str) -> Place:
        return Place(path, self.line, self.column)


class Pairs(list[tuple[Item, Item]]):
    """The pairs of a mapping, each key once."""


def read(text: str) -> Item:
    """The document's root; an empty document is None. Raises AccessFileError."""
    if problems := [_unseen_at(text, found.start()) for found in _STEERING.finditer(text)]:
        raise AccessFileError(problems[:_MOST_PROBLEMS])
    require_bounded(text)
    loader = LOADER(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return Item(None, 1, 1)
        builder = _Builder()
        item = builder.item(root)
    except yaml.YAMLError as error:
        raise AccessFileError([not_yaml(error)]) from None
    finally:
        loader.dispose()
    if builder.problems:
        raise AccessFileError(builder.problems)
    return item


def _unseen_at(text: str, place: int) -> Problem:
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    said = f"{name_of(text[place])} stands here, which nobody sees: delete it"
    return Problem(Place("", line, column), said)


class _Builder:
    """Makes items of PyYAML's nodes; a node that several aliases name becomes one item."""

    def __init__(self) -> None:
        self._made: dict[int, Item] = {}
        self._under_way: set[int] = set()
        self.problems: list[Problem] = []

    def item(self, node: yaml.Node) -> Item:
        made = self._made.get(id(node))
        if made is None:
            line, column = node.start_mark.line + 1, node.start_mark.column + 1
            value, kind = None, ""
            if id(node) in self._under_way:
                self._say(node, "this refers to itself")
            else:
                self._under_way.add(id(node))
                value, kind = self._value(node)
                self._under_way.discard(id(node))
            made = self._made[id(node)] = Item(value, line, column, kind)
        return made

    def _value(self, node: yaml.Node) -> tuple[Any, str]:
        if isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
            return self._pairs(node), "map"
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
            return [self.item(one) for one in node.value], "seq"
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
            return node.value, kind
        self._say(node, f"the tag {node.tag[:100]} is not known here")
        return None, ""

    def _pairs(self, node: yaml.MappingNode) -> Pairs:
        own = [self.item(key) for key, _ in node.value if key.tag != _MERGE]
        seen = set()
        for key in own:
            if not isinstance(key.value, str) or key.kind == "null":
                quote = ": quote it" if key.kind == "null" and key.value else ""
                self.problems.append(Problem(key.at(""), f"a key must be a text{quote}"))
                return Pairs()
            if key.value in seen:
                self.problems.append(Problem(key.at(""), f"{quoted(key.value)} stands here twice"))
            seen.add(key.value)
        # What a merge brings stands before what the mapping says itself, which so wins. PyYAML
        # copies: nine lines that each merge the one before nine times would fill memory.
        pairs: dict[Any, tuple[Item, Item]] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                self._merge(value, pairs)
        for key, value in node.value:
            if key.tag != _MERGE:
                pairs[self.item(key).value] = (self.item(key), self.item(value))
        return Pairs(pairs.values())

    def _merge(self, node: yaml.Node, into: dict[Any, tuple[Item, Item]]) -> None:
        """Add what ``<<`` names: a mapping, or several of which the first wins."""
        merged = self.item(node)
        several: Iterable[Item] = [merged]
        if isinstance(merged.value, list) and not isinstance(merged.value, Pairs):
            several = merged.value
        if not all(isinstance(one.value, Pairs) for one in several):
            self._say(node, "only mappings can be merged")
            return
        for one in reversed(list(several)):
            into.update({key.value: (key, value) for key, value in one.value})

    def _say(self, node: yaml.Node, text: str) -> None:
        mark = node.start_mark
        self.problems.append(Problem(Place("", mark.line + 1, mark.column + 1), text))


def quoted(text: object) -> str:
    """A text of the file for a message: quoted, and no longer than a line."""
    said = str(text)
    return repr(said if len(said) <= 80 else f"{said[:80]}…")
