"""What providers send otherwise than RFC 7644 has it, put into its words.

A refusal leaves somebody in who has left: what can be understood is. Seen from Okta and Entra:

- values of attributes that nobody may write, among them ``id``, which must not spoil the rest of
  the request;
- one value in a list, or in an object as ``{"value": …}``, where one value belongs;
- people of a group named by a ``remove`` of ``members`` whose value lists them.

scim2-models knows by itself: ``op`` and attributes in any case, ``"False"`` for false, a PATCH
without a path, and attributes that it has not heard of.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from scim2_models import InvalidFilterException, InvalidPathException, InvalidValueException, Path
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from portal.scim.resources import Group

_URN = re.compile(r"urn:ietf:params:scim:schemas:core:2\.0:(user|group):", re.IGNORECASE)
READ_ONLY = {"id", "meta", "schemas", "emails", "groups"}
_MEMBERS = "members"


@dataclass(slots=True)
class MemberChanges:
    """Ids, as they were sent, of who joins and leaves a group; see flows.provision_groups."""

    joining: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    all_others: bool = False

    def add(self, ids: set[str]) -> None:
        self.joining |= ids
        self.leaving -= ids

    def remove(self, ids: set[str]) -> None:
        self.joining -= ids
        self.leaving |= ids

    def replace(self, ids: set[str]) -> None:
        self.joining, self.leaving, self.all_others = ids, set(), True

    def __bool__(self) -> bool:
        return bool(self.joining or self.leaving or self.all_others)


def plain(payload: Any) -> tuple[Any, MemberChanges]:
    """A PATCH's JSON without what the portal does not take, and apart from it what it says of a
    group's people: a large group need not be read for one of them."""
    members = MemberChanges()
    if not isinstance(payload, dict):
        return payload, members
    key = next((key for key in payload if key.lower() == "operations"), None)
    operations = payload.get(key) if key else None
    if not isinstance(operations, list):
        return payload, members
    kept = [one for operation in operations for one in _plain(operation, members)]
    return {**payload, key: kept}, members


def _plain(operation: Any, members: MemberChanges) -> Iterator[Any]:
    if not isinstance(operation, dict):
        yield operation
        return
    said = {key.lower(): value for key, value in operation.items()}
    op, path, value = said.get("op"), said.get("path"), said.get("value")
    if not isinstance(op, str) or not isinstance(path, str | None):
        yield said
        return
    if not path:
        # Okta: an object, of which some attributes may be none that can be written.
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(value, dict):
            value, listed = _taken(value)
            for entries in listed:
                _change_members(members, op.lower(), entries, None)
            if not value:
                return
        yield {"op": op, "value": value}
        return
    name = _bare(path)
    if name in READ_ONLY:
        return
    if name == _MEMBERS:
        _change_members(members, op.lower(), value, path)
        return
    if name == "active":
        value = _one(value)
    kept = {"op": op, "path": path}
    yield kept | ({"value": value} if "value" in said else {})


def _taken(value: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """The attributes that are written one by one, and what it says of members."""
    kept, listed = {}, []
    for key, item in value.items():
        name = _bare(key)
        if name == _MEMBERS:
            listed.append(item)
        elif name not in READ_ONLY:
            kept[key] = _one(item) if name == "active" else item
    return kept, listed


def _bare(path: str) -> str:
    """The attribute that a path begins with, in lower case and without the core schemas' URNs."""
    return re.split(r"[.\[\s]", _URN.sub("", path, count=1), maxsplit=1)[0].lower()


def _one(value: Any) -> Any:
    while isinstance(value, list | dict):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, dict) and set(value) == {"value"}:
            value = value["value"]
        else:
            break
    return value.strip() if isinstance(value, str) else value


def _change_members(members: MemberChanges, op: str, value: Any, path: str | None) -> None:
    selected = _selected(path) if path else None
    if op == "remove":
        if selected is not None:
            members.remove(selected)
        elif value:
            members.remove(ids_of(value))
        else:
            members.replace(set())
    elif op == "add":
        members.add(ids_of(value) if selected is None else selected)
    elif op == "replace":
        if selected is not None:
            raise InvalidPathException(detail="A member can be added or removed, not changed.")
        members.replace(ids_of(value))
    else:
        raise InvalidValueException(detail=f"{op!r} is not a PATCH operation")


def ids_of(value: Any) -> set[str]:
    """The ids in a list of members; one alone, and ids without an object around them, count too."""
    entries = value if isinstance(value, list) else [] if value is None else [value]
    found = set()
    for entry in entries:
        said = {key.lower(): item for key, item in entry.items()} if isinstance(entry, dict) else {}
        one = said.get("value") or str(said.get("$ref") or "").rpartition("/")[2] or entry
        if isinstance(one, int) and not isinstance(one, bool):
            one = str(one)
        if not isinstance(one, str):
            raise InvalidValueException(detail="A member is an object with a “value”, its id.")
        found.add(one)
    return found


def _selected(path: str) -> set[str] | None:
    """The ids that a path such as ``members[value eq "7"]`` selects; None for all of them."""
    selection = Path[Group](path).value_filter
    return None if selection is None else _ids(selection)


def _ids(node: FilterNode) -> set[str]:
    if isinstance(node, LogicalExpr) and node.op == LogicalOperator.or_:
        return set().union(*map(_ids, node.terms))
    if (
        isinstance(node, Comparison)
        and node.op == CompareOperator.eq
        and node.attr_path.attr.lower() == "value"
        and isinstance(node.value, str)
    ):
        return {node.value}
    raise InvalidFilterException(detail='Members are selected by members[value eq "…"].')
