"""A SCIM filter as a question to the database (RFC 7644, section 3.4.2.2).

Values go into questions as parameters alone. What the portal does not keep matches nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from scim2_models import InvalidFilterException
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)
from scim2_models.path.visitor import FilterVisitor

from portal.models import ScimGroupMember

LONGEST = 4000
"""Characters of a filter: an expression that is too deep or wide is refused by SQLite."""
ALWAYS, NEVER = Q(pk__isnull=False), Q(pk__isnull=True)
_ORDERED = {
    CompareOperator.gt: "gt",
    CompareOperator.ge: "gte",
    CompareOperator.lt: "lt",
    CompareOperator.le: "lte",
}
_PARTS = {
    CompareOperator.co: "contains",
    CompareOperator.sw: "startswith",
    CompareOperator.ew: "endswith",
}

Question = Callable[[CompareOperator, Any], Q]
"""What asks whether an attribute compares so with a value; the value None is "unassigned"."""


@dataclass(frozen=True, slots=True)
class Text:
    """A column of text, empty where the attribute is unassigned."""

    column: str
    case_exact: bool = False

    def __call__(self, op: CompareOperator, value: Any) -> Q:
        unassigned = Q(**{self.column: ""})
        if value is None:
            return _equality(op, unassigned)
        if not isinstance(value, str) or "\0" in value:
            return ALWAYS if op == CompareOperator.ne else NEVER
        case = "" if self.case_exact else "i"
        if op in (CompareOperator.eq, CompareOperator.ne):
            equal = Q(**{f"{self.column}__{case}exact": value}) if value else NEVER
            return ~equal if op == CompareOperator.ne else equal
        if op in _PARTS:
            return Q(**{f"{self.column}__{case}{_PARTS[op]}": value}) & ~unassigned
        return Q(**{f"{self.column}__{_ORDERED[op]}": value}) & ~unassigned


@dataclass(frozen=True, slots=True)
class Flag:
    """A column that is true or false, and always one of both."""

    column: str

    def __call__(self, op: CompareOperator, value: Any) -> Q:
        if value is None:
            return _equality(op, NEVER)
        wanted = {"true": True, "false": False}.get(str(value).lower())
        if wanted is None or op not in (CompareOperator.eq, CompareOperator.ne):
            raise InvalidFilterException(detail="It is true or false, and compares by eq and ne.")
        return Q(**{self.column: wanted is (op == CompareOperator.eq)})


@dataclass(frozen=True, slots=True)
class Moment:
    """A column that holds a moment, and always one."""

    column: str

    def __call__(self, op: CompareOperator, value: Any) -> Q:
        if value is None:
            return _equality(op, NEVER)
        moment = value if isinstance(value, datetime) else _moment(value)
        if moment is None or op in _PARTS:
            raise InvalidFilterException(detail="It is a moment such as 2026-01-31T12:00:00Z.")
        if moment.tzinfo is None:
            moment = timezone.make_aware(moment)
        if op in _ORDERED:
            return Q(**{f"{self.column}__{_ORDERED[op]}": moment})
        return (
            Q(**{self.column: moment}) if op == CompareOperator.eq else ~Q(**{self.column: moment})
        )


@dataclass(frozen=True, slots=True)
class Key:
    """A resource's own id; ``read`` makes a row's key of it, and None of what is none."""

    read: Callable[[object], object | None]

    def __call__(self, op: CompareOperator, value: Any) -> Q:
        key = self.read(value)
        return _equality(op, NEVER if key is None else Q(pk=key))


@dataclass(frozen=True, slots=True)
class Membership:
    """The ids at the other end of memberships: of a person's groups, or of a group's people.

    ``own`` and ``other`` are the columns of ScimGroupMember that lead to either end.
    """

    own: str
    other: str
    read: Callable[[object], object | None]

    def __call__(self, op: CompareOperator, value: Any) -> Q:
        members = ScimGroupMember.objects.filter(**{self.own: OuterRef("pk")})
        if value is None:
            return _equality(op, ~Q(Exists(members)))
        key = self.read(value)
        found = NEVER if key is None else Q(Exists(members.filter(**{self.other: key})))
        return _equality(op, found)


@dataclass(frozen=True, slots=True)
class Constant:
    """What is the same of every row."""

    value: str | bool

    def __call__(self, op: CompareOperator, value: Any) -> Q:
        is_equal = str(value).lower() == str(self.value).lower()
        if op == CompareOperator.ne:
            return NEVER if is_equal else ALWAYS
        return ALWAYS if is_equal and op == CompareOperator.eq else NEVER


def _equality(op: CompareOperator, equal: Q) -> Q:
    if op == CompareOperator.eq:
        return equal
    return ~equal if op == CompareOperator.ne else NEVER


def _moment(value: object) -> datetime | None:
    try:
        return parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None


class Asked(FilterVisitor[Q]):
    """Turns a filter into a question; ``attributes`` are those of one kind of resource, by their
    names in lower case, a sub-attribute after a dot."""

    def __init__(self, schema: str, attributes: Mapping[str, Question]) -> None:
        self._schema = schema.lower()
        self._attributes = attributes
        self._within = ""

    def _question(self, path: AttrPath) -> Question | None:
        if path.uri and path.uri.lower() != self._schema:
            return None
        name = f"{self._within}{path.attr}" + (f".{path.sub_attr}" if path.sub_attr else "")
        return self._attributes.get(name.lower())

    def visit_comparison(self, node: Comparison) -> Q:
        question = self._question(node.attr_path)
        return question(node.op, node.value) if question else NEVER

    def visit_present(self, node: Present) -> Q:
        question = self._question(node.attr_path)
        return question(CompareOperator.ne, None) if question else NEVER

    def visit_not(self, node: Not) -> Q:
        return ~self.visit(node.expr)

    def visit_logical_expr(self, node: LogicalExpr) -> Q:
        asked = [self.visit(term) for term in node.terms]
        connector = Q.AND if node.op == LogicalOperator.and_ else Q.OR
        return Q(*asked, _connector=connector)

    def visit_value_path(self, node: ValuePath) -> Q:
        self._within = f"{node.attr_path.attr}."
        try:
            asked = self.visit(node.val_filter)
        finally:
            self._within = ""
        if not node.sub_attr:
            return asked
        return asked & self.visit(Present(AttrPath(node.attr_path.attr, node.sub_attr)))


def asked(schema: str, attributes: Mapping[str, Question], node: FilterNode) -> Q:
    """The rows that a filter means."""
    return Asked(schema, attributes).visit(node)
