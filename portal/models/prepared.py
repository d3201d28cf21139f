"""Questions that are asked often, in SQL that is made once.

Django builds and compiles every question anew. For a token with all that its page names, this takes
2 ms where the database takes 0.1 (measured on SQLite), and every request and every task asks a few
such questions. Here they are compiled on first use, and asked again with other keys.

This reads parts of Django that it does not document: the compiler's ``select``, ``klass_info``,
``annotation_col_map``, ``get_converters`` and ``as_sql``, ``get_related_populators`` and
``UpdateQuery``. tests/test_prepared.py compares each question of the portal with what Django itself
finds. Where a newer Django lacks a part, the question is asked as a plain queryset, with a warning.
"""

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import query as django_query
from django.db.models import sql
from django.db.transaction import TransactionManagementError

log = logging.getLogger(__name__)

M = TypeVar("M", bound=models.Model)
R = TypeVar("R")

_AS_STORED: "dict[type, models.Field[Any, Any]]" = {
    uuid.UUID: models.UUIDField(),
    datetime: models.DateTimeField(),
}
"""What makes a key into what the database keeps; numbers and text are kept as they are."""
_FETCH_MODE: dict[str, Any] = (
    {"fetch_mode": models.FETCH_ONE} if hasattr(models, "FETCH_ONE") else {}
)
"""Of Django 6.1 and later: what a row lacks is fetched when it is asked for, as it always was."""
_LACKS_A_PART = (AttributeError, ImportError, LookupError, TypeError)
"""What is raised where Django's own parts are other than those named above."""


class Prepared(Generic[M, R]):
    """What ``ask(*keys)`` finds, as the queryset itself would give it: rows, or tuples of values.

    ``ask`` makes a queryset that depends on the keys alone, and on nothing that changes. It is
    called once, with ``like``: keys of the same types, each another, that stand nowhere else in the
    question.
    """

    def __init__(self, ask: Callable[..., "models.QuerySet[M, R]"], *, like: Sequence[Any]) -> None:
        self.ask = ask
        self.like = like
        self._compiled: _Question | _Plain | None = None

    def __call__(self, *keys: object) -> list[R]:
        """Ask. Raises TransactionManagementError where rows would be locked in no transaction."""
        if self._compiled is None:
            self._compiled = self._compile()
        return cast("list[R]", self._compiled.found(keys))

    def one(self, *keys: object) -> R | None:
        """The first that is found, or None."""
        return next(iter(self(*keys)), None)

    def _compile(self) -> "_Question | _Plain":
        rows = self.ask(*self.like)
        try:
            return _question(rows, self.like)
        except _LACKS_A_PART:
            _warn()
            return _Plain(self.ask)


class PreparedUpdate:
    """What ``ask(*keys)`` finds, changed as ``QuerySet.update`` would by ``to(*keys)``.

    Both depend on the keys alone; ``like`` is as in ``Prepared``. No columns of other tables.
    """

    def __init__(
        self,
        ask: Callable[..., "models.QuerySet[Any, Any]"],
        *,
        to: Callable[..., dict[str, Any]],
        like: Sequence[Any],
    ) -> None:
        self.ask = ask
        self.to = to
        self.like = like
        self._compiled: _Statement | _PlainUpdate | None = None

    def __call__(self, *keys: object) -> int:
        """Change them; returns how many there were."""
        if self._compiled is None:
            self._compiled = self._compile()
        return self._compiled.changed(keys)

    def _compile(self) -> "_Statement | _PlainUpdate":
        rows, values = self.ask(*self.like), self.to(*self.like)
        try:
            query: Any = rows.query.chain(sql.UpdateQuery)
            query.clear_ordering(force=True)
            query.add_update_values(values)
            return _statement(query.get_compiler(DEFAULT_DB_ALIAS), self.like)
        except _LACKS_A_PART:
            _warn()
            return _PlainUpdate(self.ask, self.to)


@dataclass(frozen=True, slots=True)
class _Plain:
    """The question as Django asks it."""

    ask: Callable[..., "models.QuerySet[Any, Any]"]

    def found(self, keys: Sequence[object]) -> list[object]:
        return list(self.ask(*keys))


@dataclass(frozen=True, slots=True)
class _PlainUpdate:
    ask: Callable[..., "models.QuerySet[Any, Any]"]
    to: Callable[..., dict[str, Any]]

    def changed(self, keys: Sequence[object]) -> int:
        return self.ask(*keys).update(**self.to(*keys))


def _warn() -> None:
    log.warning("prepared.lacks_a_part_of_django", exc_info=True)


@dataclass(frozen=True, slots=True)
class _Statement:
    """SQL with places for keys."""

    sql: str
    params: Sequence[Any]
    places: Sequence[tuple[int, int, Callable[[Any], object] | None]]
    """Where in ``params`` a key belongs, which, and as what where psycopg has a type of its own."""

    def execute(self, cursor: CursorWrapper, keys: Sequence[object]) -> None:
        params = list(self.params)
        for place, number, typed in self.places:
            key = _as_stored(keys[number], cursor.db)
            params[place] = typed(key) if typed else key
        cursor.execute(self.sql, params)

    def changed(self, keys: Sequence[object]) -> int:
        """Run it as an update; returns how many rows it changed."""
        with (
            transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS),
            connections[DEFAULT_DB_ALIAS].cursor() as cursor,
        ):
            self.execute(cursor, keys)
            return int(cursor.rowcount)


@dataclass(frozen=True, slots=True)
class _Question:
    """A statement, and how what it answers becomes what the queryset would give."""

    statement: _Statement
    locks: bool
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]
    made_of: Callable[[list[Any]], object]

    def found(self, keys: Sequence[object]) -> list[object]:
        connection = connections[DEFAULT_DB_ALIAS]
        if self.locks and not connection.in_atomic_block:
            raise TransactionManagementError("rows are locked inside a transaction")
        with connection.cursor() as cursor:
            self.statement.execute(cursor, keys)
            found = cursor.fetchall()
        return [self._made_of(list(row), connection) for row in found]

    def _made_of(self, row: list[Any], connection: Any) -> object:
        for position, converters, expression in self.converters:
            for converter in converters:
                row[position] = converter(row[position], expression, connection)
        return self.made_of(row)


def _as_stored(key: object, connection: Any) -> object:
    field = _AS_STORED.get(type(key))
    return key if field is None else field.get_db_prep_value(key, connection)


def _statement(compiler: Any, like: Sequence[object]) -> _Statement:
    sql, params = compiler.as_sql()
    keys = [_as_stored(one, compiler.connection) for one in like]
    places = [
        (place, number, None if type(param) is type(key) else type(param))
        for place, param in enumerate(params)
        for number, key in enumerate(keys)
        if isinstance(param, type(key)) and param == key
    ]
    if {number for _, number, _ in places} != set(range(len(keys))):
        raise ValueError("the question does not ask for each of its keys")
    return _Statement(sql, params, places)


def _question(rows: "models.QuerySet[Any, Any]", like: Sequence[object]) -> _Question:
    compiler = rows.query.get_compiler(using=DEFAULT_DB_ALIAS)
    statement = _statement(compiler, like)
    converters = compiler.get_converters([one[0] for one in compiler.select])
    return _Question(
        statement=statement,
        locks=rows.query.select_for_update,
        converters=[(position, *what) for position, what in converters.items()],
        made_of=tuple if _asks_for_values(rows, compiler) else _maker(rows.model, compiler),
    )


def _asks_for_values(rows: "models.QuerySet[Any, Any]", compiler: Any) -> bool:
    """Whether tuples are wanted: of columns, or of annotations alone."""
    return bool(rows.query.values_select) or not compiler.klass_info


def _maker(model: type[models.Model], compiler: Any) -> Callable[[list[Any]], models.Model]:
    """Makes an object of a row, as Django's ModelIterable does."""
    select, info = compiler.select, compiler.klass_info
    columns = slice(info["select_fields"][0], info["select_fields"][-1] + 1)
    attributes = [one[0].target.attname for one in select[columns]]
    related = django_query.get_related_populators(info, select, DEFAULT_DB_ALIAS, **_FETCH_MODE)
    annotated = compiler.annotation_col_map.items()

    def make(row: list[Any]) -> models.Model:
        made = model.from_db(DEFAULT_DB_ALIAS, attributes, row[columns])
        for one in related:
            one.populate(row, made)
        for name, position in annotated:
            setattr(made, name, row[position])
        return made

    return make
