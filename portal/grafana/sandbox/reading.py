"""Readers of the JSON that steers the sandbox: each returns the value it is given, or objects.

A reader takes a member's name and its value, and raises ValueError with a sentence for people.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

Reader = Callable[[str, object], Any]


def members(said: object, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The members of a JSON object, each read by the reader of its name; others are refused."""
    if not isinstance(said, dict):
        raise ValueError(f"a JSON object is expected, not {said!r}")
    if unknown := set(said).difference(readers):
        raise ValueError(f"no such member: {', '.join(sorted(unknown))}")
    return {name: readers[name](name, value) for name, value in said.items()}


def number(lowest: float = -math.inf) -> Reader:
    def read(name: str, value: object) -> float:
        # A bool is an int to Python, not to JSON.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} must be a number, not {value!r}")
        if not lowest <= value < math.inf:
            raise ValueError(f"{name} must be finite and at least {lowest:g}")
        return value

    return read


def whole(lowest: int) -> Reader:
    def read(name: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{name} must be a whole number, not {value!r}")
        if value < lowest:
            raise ValueError(f"{name} must be at least {lowest}")
        return value

    return read


def one_of(*among: object) -> Reader:
    def read(name: str, value: object) -> object:
        if value not in among:
            raise ValueError(f"{name} must be one of {', '.join(map(str, among))}, not {value!r}")
        return value

    return read


def text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{name} must be a string on one line, not {value!r}")
    return value


def flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {value!r}")
    return value


def anything(_name: str, value: object) -> object:
    return value


def mapping(of: Reader, *, keys: Reader = text) -> Reader:
    """An object of any members whose values, and names, the readers accept."""

    def read(name: str, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError(f"{name} must be an object, not {value!r}")
        return {keys(name, key): of(name, said) for key, said in value.items()}

    return read


def list_of(of: Reader) -> Reader:
    """An array whose items the reader accepts."""

    def read(name: str, value: object) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError(f"{name} must be an array, not {value!r}")
        return [of(name, said) for said in value]

    return read


def optional(reader: Reader) -> Reader:
    """Null, or what `reader` accepts."""
    return lambda name, value: None if value is None else reader(name, value)
