"""Pages of a list that begin next to a row, not after a number of rows.

However many pages lie before it, a page costs what an index takes to find its first row. Which one
that is stands in the address: ``after-0-ID`` are the rows behind a row, ``before-0-ID`` those in
front of it. Numbers are what addresses said before: they are counted out, and show about the page
that they meant.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet, Subquery

from portal.models import Token

M = TypeVar("M", bound=Model)
R = TypeVar("R")

PER_PAGE = 50
_PLACE = re.compile(r"(after|before)-([0-9])-([0-9a-fA-F-]{1,36})")
_NUMBER = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Stretch(Generic[M]):
    """Rows in one order, by columns of their own table that are never empty: all upward, or all
    downward ("-"). The last of them tells any two rows apart."""

    rows: "QuerySet[M, M]"
    order: tuple[str, ...]
    computed: Mapping[str, Any] = field(default_factory=dict)
    """Columns of the order that are computed of others of the row, as an index has them."""

    def keys(self, *, backward: bool = False) -> "QuerySet[M, Any]":
        """All, from one end."""
        order = (_turned(one) if backward else one for one in self.order)
        rows: QuerySet[M, Any] = self.rows.alias(**self.computed)
        return rows.order_by(*order).values_list("pk", flat=True)

    def beyond(self, pk: object, *, backward: bool) -> "QuerySet[M, Any]":
        """Those behind the row with this key, or in front of it, nearest first.

        That row's columns are compared where they are: SQLite keeps the times that it made itself
        with fewer digits than those that it was given, so that one read from it equals neither.
        """
        downward = self.order[0].startswith("-") != backward
        less = "lt" if downward else "gt"
        row = self.rows.model._base_manager.annotate(**self.computed).filter(pk=pk)
        found = Q()
        for column in reversed([one.removeprefix("-") for one in self.order]):
            its = Subquery(row.values(column)[:1])
            found = Q(**{f"{column}__{less}": its}) | (Q(**{column: its}) & found if found else Q())
        first = self.order[0].removeprefix("-")
        # Said once more without an “or”, so that an index begins there.
        bound = Q(**{f"{first}__{less}e": Subquery(row.values(first)[:1])})
        return self.keys(backward=backward).filter(bound & found)

    def has(self, pk: object) -> bool:
        """Whether there is such a row, on this stretch or (by now) on another."""
        return self.rows.model._base_manager.filter(pk=pk).exists()

    def about(self, number: int) -> object | None:
        """The key of a row with about so many before it, by the first column alone: an index that
        has it is counted along, and no row is read."""
        first = self.order[0].removeprefix("-")
        there = (
            self.rows.annotate(**self.computed)
            .order_by(self.order[0])
            .values(first)[number : number + 1]
        )
        found: object | None = self.keys().filter(**{first: Subquery(there)}).first()
        return found


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some rows, and where the neighbouring pages begin (empty: there is none)."""

    object_list: list[R]
    previous: str = ""
    next: str = ""

    def __iter__(self) -> Iterator[R]:
        return iter(self.object_list)

    @property
    def is_whole(self) -> bool:
        """Whether there are no other rows."""
        return not (self.previous or self.next)


def page(
    stretches: "Sequence[Stretch[M]]",
    asked: str | None,
    load: "Callable[[list[Any]], Iterable[M]]",
    *,
    size: int = PER_PAGE,
) -> Page[M]:
    """The page that an address asks for, of stretches that follow one another.

    A number that can't be read means the first page, one beyond the last page means the last.
    ``load`` gives the rows of some keys, with all that the page shows, in any order.
    """
    found = _place(stretches, asked or "", size)
    rows = {row.pk: row for row in load([pk for _, pk in found.object_list])}
    shown = [rows[pk] for _, pk in found.object_list if pk in rows]
    return Page(shown, found.previous, found.next)


_Key = tuple[int, Any]
"""Of which stretch, and the row's own key."""
_Keys = Page[Any]


def load_tokens(keys: list[Any]) -> Iterable[Token]:
    """Tokens with everything that a list names."""
    rows = Token.objects.for_pages().with_successor().with_places()
    return rows.filter(pk__in=keys).order_by() if keys else ()


def _place(stretches: Sequence[Stretch[Any]], asked: str, size: int) -> _Keys:
    found = None
    if place := _PLACE.fullmatch(asked):
        found = _beside(stretches, (int(place[2]), place[3]), size, backward=place[1] == "before")
    elif _NUMBER.fullmatch(asked) and int(asked) > 1:
        found = _numbered(stretches, int(asked), size)
    return found or _forward(stretches, None, size)


def _beside(
    stretches: Sequence[Stretch[Any]], key: _Key, size: int, *, backward: bool = False
) -> _Keys | None:
    """The page on one side of a row; None where there is nothing any more."""
    if key[0] >= len(stretches):
        return None
    try:
        if not stretches[key[0]].has(key[1]):
            return None
        found = (_backward if backward else _forward)(stretches, key, size)
    except (ValidationError, ValueError):
        return None  # no key of this table
    return found if found.object_list else None


def _numbered(stretches: Sequence[Stretch[Any]], number: int, size: int) -> _Keys:
    before = (number - 1) * size - 1
    for place, stretch in enumerate(stretches):
        pk = stretch.about(before)
        if pk is not None and (found := _beside(stretches, (place, pk), size)):
            return found
        before -= stretch.rows.count()
        if before < 0:
            break
    return _backward(stretches, None, size)


def _forward(stretches: Sequence[Stretch[Any]], key: _Key | None, size: int) -> _Keys:
    found = _gather(stretches, key, size, backward=False)
    shown = found[:size]
    previous = _name("before", shown[0]) if key and shown else ""
    return Page(shown, previous, _name("after", shown[-1]) if len(found) > size else "")


def _backward(stretches: Sequence[Stretch[Any]], key: _Key | None, size: int) -> _Keys:
    found = _gather(stretches, key, size, backward=True)
    if len(found) <= size:
        return _forward(stretches, None, size)  # the first page, and a whole one
    shown = found[:size][::-1]
    return Page(shown, _name("before", shown[0]), _name("after", shown[-1]) if key else "")


def _gather(
    stretches: Sequence[Stretch[Any]], key: _Key | None, size: int, *, backward: bool
) -> list[_Key]:
    """The nearest keys on one side of a row, or from one end, at most one more than ``size``."""
    places = range(len(stretches))[:: -1 if backward else 1]
    found: list[_Key] = []
    for place in places:
        stretch = stretches[place]
        if key is not None and (place > key[0] if backward else place < key[0]):
            continue
        if key is not None and place == key[0]:
            keys = stretch.beyond(key[1], backward=backward)
        else:
            keys = stretch.keys(backward=backward)
        found += [(place, pk) for pk in keys[: size + 1 - len(found)]]
        if len(found) > size:
            break
    return found


def _name(side: str, key: _Key) -> str:
    place, pk = key
    return f"{side}-{place}-{pk}"


def _turned(order: str) -> str:
    return order.removeprefix("-") if order.startswith("-") else f"-{order}"
