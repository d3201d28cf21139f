"""YAML with the place where each thing stands.

PyYAML's own construction forgets the places, and silently drops the first of two equal keys.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from portal.access.entries import AccessFileError, Place, Problem
from portal.text import name_of

# In C, ten times as fast; a PyYAML that was built without libyaml reads the same in Python.
_Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_MOST_PROBLEMS = 100

_STEERING = re.compile(
    "[\\0-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]|\\r(?!\\n)"
)
"""What makes a file read otherwise than it looks, in a comment too (CVE-2021-42574): directions of
writing, and line ends that YAML knows and a reviewer's editor may not show."""

_MAPPING = "tag:yaml.org,2002:map"
_SEQUENCE = "tag:yaml.org,2002:seq"
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Item:
    """A value of the document: a scalar, a list of items, or a mapping's pairs of items."""

    value: Any
    line: int
    column: int

    def at(self, path: str) -> Place:
        return Place(path, self.line, self.column)


class Pairs(list[tuple[Item, Item]]):
    """The pairs of a mapping, each key once."""


def read(text: str) -> Item:
    """The document's root; an empty document is None. Raises AccessFileError."""
    if problems := [_unseen_at(text, found.start()) for found in _STEERING.finditer(text)]:
        raise AccessFileError(problems[:_MOST_PROBLEMS])
    loader = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Item(None, 1, 1)
        builder = _Builder(loader)
        item = builder.item(root)
    except yaml.YAMLError as error:
        raise AccessFileError([_not_yaml(error)]) from None
    except RecursionError:
        raise AccessFileError([Problem(Place("the file"), "this is nested too deeply")]) from None
    finally:
        if loader is not None:
            loader.dispose()
    if builder.problems:
        raise AccessFileError(builder.problems)
    return item


def _unseen_at(text: str, place: int) -> Problem:
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    said = f"{name_of(text[place])} stands here, which nobody sees: delete it"
    return Problem(Place("", line, column), said)


def _not_yaml(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Place("", mark.line + 1, mark.column + 1) if mark else Place("the file")
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it can't be read"
    return Problem(place, f"this is not YAML: {said}")


class _Builder:
    """Makes items of PyYAML's nodes; a node that several aliases name becomes one item."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._made: dict[int, Item] = {}
        self._under_way: set[int] = set()
        self.problems: list[Problem] = []

    def item(self, node: yaml.Node) -> Item:
        made = self._made.get(id(node))
        if made is None:
            line, column = node.start_mark.line + 1, node.start_mark.column + 1
            value = None
            if id(node) in self._under_way:
                self._say(node, "this holds itself")
            else:
                self._under_way.add(id(node))
                value = self._value(node)
                self._under_way.discard(id(node))
            made = self._made[id(node)] = Item(value, line, column)
        return made

    def _value(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
            return self._pairs(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
            return [self.item(one) for one in node.value]
        try:
            if isinstance(node, yaml.ScalarNode):
                return self._loader.construct_object(node)
        except yaml.YAMLError:
            pass
        except ValueError:  # such as a date with a thirteenth month
            return node.value
        self._say(node, f"the tag {node.tag} is not known here")
        return None

    def _pairs(self, node: yaml.MappingNode) -> Pairs:
        own = [self.item(key) for key, _ in node.value if key.tag != _MERGE]
        seen = set()
        for key in own:
            if isinstance(key.value, list):
                self.problems.append(Problem(key.at(""), "a key must be a text"))
                return Pairs()
            if key.value in seen:
                self.problems.append(Problem(key.at(""), f"{key.value!r} stands here twice"))
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
        several = [merged] if isinstance(merged.value, Pairs) else merged.value
        if not isinstance(several, list) or not all(
            isinstance(one.value, Pairs) for one in several
        ):
            self._say(node, "only mappings can be merged")
            return
        for one in reversed(several):
            into.update({key.value: (key, value) for key, value in one.value})

    def _say(self, node: yaml.Node, text: str) -> None:
        mark = node.start_mark
        self.problems.append(Problem(Place("", mark.line + 1, mark.column + 1), text))
