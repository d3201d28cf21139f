"""Takes the values of an access file for what they should be, and collects what they are not."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from portal.access.document import Item, Pairs, quoted
from portal.access.entries import Problem
from portal.amg import LONGEST_LIFETIME
from portal.mailbox import NotAnAddressError, canonical
from portal.text import is_visible, unseen

MOST_LIVE = 1_000_000
LONGEST_NAME = 255
LONGEST_GROUP = 200

_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_COUNT = re.compile(r"0|[1-9][0-9]{0,6}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TRUE = {"true", "yes", "on"}

T = TypeVar("T")


def seconds(text: object) -> int:
    """A duration such as ``30d``, ``8h``, ``90m`` or a number of seconds; raises ValueError."""
    match = _DURATION.fullmatch(str(text))
    if match is None or isinstance(text, bool):
        raise ValueError
    return int(match[1]) * _SECONDS[match[2]]


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping's values by their names; what is missing stands where the mapping does."""

    item: Item
    values: dict[str, Item]

    def __call__(self, name: str, default: object = None) -> Item:
        found = self.values.get(name)
        if found is not None and not (found.is_missing and default is not None):
            return found
        kind = {bool: "bool", str: "str", list: "seq"}.get(type(default), "null")
        text = str(default).lower() if isinstance(default, bool) else default
        return Item(text, self.item.line, self.item.column, kind)


@dataclass(slots=True)
class Values:
    """Reads one value after the other; each mistake is kept with its place."""

    problems: list[Problem] = field(default_factory=list)

    def say(self, item: Item, path: str, text: str) -> None:
        self.problems.append(Problem(item.at(path), text))

    # -- Shapes -------------------------------------------------------------------------------

    def pairs(self, item: Item, path: str) -> Pairs:
        if isinstance(item.value, Pairs):
            return item.value
        if not item.is_missing:
            self.say(item, path, "must be a mapping")
        return Pairs()

    def fields(self, item: Item, path: str, known: set[str]) -> Fields:
        values = {}
        for key, value in self.pairs(item, path):
            if key.value in known:
                values[key.value] = value
            else:
                self.say(key, path, f"does not know {quoted(key.value)}")
        return Fields(item, values)

    def items(self, item: Item) -> list[Item]:
        is_list = isinstance(item.value, list) and not isinstance(item.value, Pairs)
        return item.value if is_list else []

    def each(self, item: Item, path: str, read: Callable[[Item, str], T]) -> tuple[T, ...]:
        """What ``read`` makes of each item of a list; a list that is not there is empty."""
        items = self.items(item)
        if not item.is_missing and items is not item.value:
            self.say(item, path, "must be a list")
        return tuple(read(one, f"{path}[{number}]") for number, one in enumerate(items))

    def distinct(self, item: Item, path: str, read: Callable[[Item, str], str]) -> tuple[str, ...]:
        found = self.each(item, path, read)
        self.once(item, path, list(found))
        return found

    def once(self, listed: Item, path: str, found: list[str]) -> None:
        seen: set[str] = set()
        for number, (item, text) in enumerate(zip(self.items(listed), found, strict=True)):
            if text and text in seen:
                self.say(item, f"{path}[{number}]", f"{text} stands here twice")
            seen.add(text)

    # -- Texts, as they are written -------------------------------------------------------------

    def text(self, item: Item, path: str, longest: int, what: str = "a text") -> str:
        """A text of at most so many characters; may be empty, and is "" after a mistake."""
        if item.kind == "null" and item.value:
            self.say(item, path, f"{item.value} says nothing in YAML: quote it if it is meant")
            return ""
        text = item.value
        if not isinstance(text, str) or len(text) > longest:
            self.say(item, path, f"must be {what} of at most {longest} characters")
            return ""
        if character := unseen(text):
            self.say(item, path, f"holds {character}, which nobody sees")
        elif text and not is_visible(text):
            self.say(item, path, "shows nothing")
        return text

    def group(self, item: Item, path: str) -> str:
        group = self.text(item, path, LONGEST_GROUP)
        if item.value == "":
            self.say(item, path, "names no group")
        return group

    def name(self, item: Item, path: str) -> str:
        """An id or a name."""
        if item.value is None or item.value == "":
            self.say(item, path, "is missing")
            return ""
        return self.text(item, path, LONGEST_NAME, "an id or a name")

    def email(self, item: Item, path: str) -> str:
        try:
            return canonical(item.value if isinstance(item.value, str) else "")
        except NotAnAddressError as error:
            self.say(item, path, str(error))
            return ""

    def slug(self, item: Item, path: str) -> str:
        if not _SLUG.fullmatch(str(item.value)):
            self.say(item, path, "names are lower-case letters, digits, - and _, 64 at most")
        return str(item.value)

    # -- What is no text ------------------------------------------------------------------------

    def flag(self, item: Item, path: str) -> bool:
        if item.kind != "bool":
            self.say(item, path, "must be true or false")
            return False
        return str(item.value).lower() in _TRUE

    def word(self, item: Item, path: str, choices: tuple[str, ...]) -> str:
        if item.value not in choices:
            self.say(item, path, f"must be one of {', '.join(choices)}")
        return str(item.value)

    def lifetime(self, item: Item, path: str, *, least: int = 1) -> int:
        """Seconds; 0 after a mistake."""
        try:
            found = seconds(item.value)
        except ValueError:
            found = -1
        if not least <= found <= LONGEST_LIFETIME:
            self.say(item, path, f"must be a duration such as 8h, from {least}s to 30d")
            return 0
        return found

    def count(self, item: Item, path: str) -> int | None:
        """A whole number, as people write one: 010 and 0x8 are none."""
        if item.is_missing:
            return None
        is_plain = item.kind == "int" and _COUNT.fullmatch(item.value)
        number = int(item.value) if is_plain else -1
        if not 0 <= number <= MOST_LIVE:
            self.say(item, path, f"must be a whole number from 0 to {MOST_LIVE:,}")
            return None
        return number
