"""What an access file may cost: bounded before anything is made of it.

The parser's events are counted one by one, without recursion. An alias counts as much as what it
names, because whoever reads the file walks through that again.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from portal.access.entries import AccessFileError, Place, Problem

LONGEST_FILE = 2_000_000
"""Characters. 200 teams, 5,000 people and 2,000 grants take 0.5 million."""
MOST_NODES = 400_000
"""Texts, lists and mappings, aliases written out. That same file has 35,000."""
DEEPEST = 40
"""Lists and mappings in each other; a file that says something has 7."""
LONGEST_TEXT = 2_000
"""Characters of one text."""

# In C, ten times as fast; a PyYAML that was built without libyaml reads the same in Python.
LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def require_bounded(text: str) -> None:
    """Raise AccessFileError for what is no YAML, too large, too deep, or too much when read."""
    if len(text) > LONGEST_FILE:
        raise AccessFileError(
            [Problem(Place("the file"), f"is longer than {LONGEST_FILE:,} characters")]
        )
    counter = _Counter()
    try:
        for event in yaml.parse(text, Loader=LOADER):
            if problem := counter.problem_with(event):
                raise AccessFileError([problem])
    except yaml.YAMLError as error:
        raise AccessFileError([not_yaml(error)]) from None
    except UnicodeError:
        raise AccessFileError([Problem(Place("the file"), "this is no text")]) from None


def not_yaml(error: yaml.YAMLError) -> Problem:
    """A mistake in the YAML itself, with its place where PyYAML says one."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Place("", mark.line + 1, mark.column + 1) if mark else Place("the file")
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it can't be read"
    return Problem(place, f"this is not YAML: {said}")


@dataclass(slots=True)
class _Open:
    """A list or mapping that has not ended yet."""

    anchor: str | None
    before: int
    """How much there was before it."""
    height: int = 0
    """How deep what stands in it is."""


class _Counter:
    """How much the document is, up to the event that was seen last."""

    def __init__(self) -> None:
        self._nodes = 0
        self._open: list[_Open] = []
        self._named: dict[str, tuple[int, int]] = {}
        """How much is in what an anchor names, and how deep that is."""

    def problem_with(self, event: yaml.Event) -> Problem | None:
        if isinstance(event, yaml.AliasEvent):
            nodes, height = self._named.get(str(event.anchor), (1, 0))
            self._nodes += nodes
            return self._grow(event, height)
        if isinstance(event, yaml.ScalarEvent):
            self._nodes += 1
            if event.anchor is not None:
                self._named[event.anchor] = (1, 0)
            if len(event.value) > LONGEST_TEXT:
                return _problem(event, f"this text is longer than {LONGEST_TEXT:,} characters")
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open.append(_Open(event.anchor, self._nodes))
            self._nodes += 1
            return self._grow(event, 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = self._open.pop()
            if self._open:
                self._open[-1].height = max(self._open[-1].height, ended.height + 1)
            if ended.anchor is not None:
                self._named[ended.anchor] = (self._nodes - ended.before, ended.height + 1)
        return self._grow(event, 0)

    def _grow(self, event: yaml.Event, height: int) -> Problem | None:
        """The problem when there is too much now, or something so high stands here."""
        if len(self._open) + height > DEEPEST:
            return _problem(event, "this is nested too deeply")
        if self._nodes > MOST_NODES:
            text = f"here the file says more than {MOST_NODES:,} things, aliases written out"
            return _problem(event, text)
        if self._open:
            self._open[-1].height = max(self._open[-1].height, height)
        return None


def _problem(event: yaml.Event, text: str) -> Problem:
    mark: Any = event.start_mark
    return Problem(Place("", mark.line + 1, mark.column + 1), text)
