"""Rows by a key, asked for in SQL that is made once.

Django builds and compiles every question anew. For a token with all that its page names, this takes
2 ms where the database takes 0.1 (measured on SQLite), and every request and every task asks a few
such questions. Here they are compiled on first use, and asked again with another key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.query import get_related_populators
from django.db.transaction import TransactionManagementError

M = TypeVar("M", bound=models.Model)


class ByKey(Generic[M]):
    """The rows that ``ask(key)`` finds, as the queryset itself would give them.

    ``ask`` makes a queryset that depends on the key alone, and on nothing that changes. It is
    called once, with ``like``, a key that no row has. Keys are of the type of the primary key.
    """

    def __init__(self, ask: Callable[[Any], "models.QuerySet[M]"], *, like: object) -> None:
        self._ask = ask
        self._like = like
        self._compiled: _Compiled[M] | None = None

    def __call__(self, key: object) -> list[M]:
        """Ask. Raises TransactionManagementError where rows would be locked in no transaction."""
        if self._compiled is None:
            self._compiled = _compile(self._ask(self._like), self._like)
        return self._compiled.rows(key)

    def one(self, key: object) -> M | None:
        """The one row of this key, or None."""
        return next(iter(self(key)), None)


@dataclass(frozen=True, slots=True)
class _Compiled(Generic[M]):
    """A question in SQL, and how Django's ModelIterable makes objects of what it answers."""

    model: type[M]
    sql: str
    params: Sequence[Any]
    is_key: Sequence[bool]
    """Of each parameter, whether the key belongs there."""
    locks: bool
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]
    columns: slice
    attributes: Sequence[str]
    related: Sequence[Any]

    def rows(self, key: object) -> list[M]:
        connection = connections[DEFAULT_DB_ALIAS]
        if self.locks and not connection.in_atomic_block:
            raise TransactionManagementError("rows are locked inside a transaction")
        value = self.model._meta.pk.get_db_prep_value(key, connection)
        params = [
            value if is_key else other
            for is_key, other in zip(self.is_key, self.params, strict=True)
        ]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, params)
            found = cursor.fetchall()
        return [self._made_of(list(row), connection) for row in found]

    def _made_of(self, row: list[Any], connection: Any) -> M:
        for position, converters, expression in self.converters:
            for converter in converters:
                row[position] = converter(row[position], expression, connection)
        made = self.model.from_db(DEFAULT_DB_ALIAS, self.attributes, row[self.columns])
        for one in self.related:
            one.populate(row, made)
        return made


def _compile(rows: "models.QuerySet[M]", like: object) -> _Compiled[M]:
    query = rows.query
    compiler = query.get_compiler(using=DEFAULT_DB_ALIAS)
    sql, params = compiler.as_sql()
    key = rows.model._meta.pk.get_db_prep_value(like, compiler.connection)
    is_key = [type(one) is type(key) and one == key for one in params]
    if not any(is_key):
        raise ValueError("the question does not ask for its key")
    select, info = compiler.select, compiler.klass_info
    first, last = info["select_fields"][0], info["select_fields"][-1] + 1
    converters = compiler.get_converters([one[0] for one in select])
    return _Compiled(
        model=rows.model,
        sql=sql,
        params=params,
        is_key=is_key,
        locks=query.select_for_update,
        converters=[(position, *what) for position, what in converters.items()],
        columns=slice(first, last),
        attributes=[one[0].target.attname for one in select[first:last]],
        # The stubs are of a newer Django, which asks for one more.
        related=get_related_populators(info, select, DEFAULT_DB_ALIAS),  # type: ignore[call-arg]
    )
