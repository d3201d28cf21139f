"""Reads an access file: each thing that it says, and each mistake with its place."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from portal.access.document import Item, Pairs, read
from portal.access.entries import (
    EVERY,
    LONGEST_LIFETIME,
    AccessFile,
    AccessFileError,
    ConnectionEntry,
    GrantEntry,
    PersonEntry,
    Problem,
    TeamEntry,
)
from portal.mailbox import NotAnAddressError, canonical
from portal.text import is_visible, unseen

MOST_LIVE = 1_000_000

_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_CONNECTION = {"region": 32, "role_arn": 200, "external_id": 200}
"""What a connection may say, and the most characters of each."""
_LONGEST_GROUP = 200
_TEAM = {"leads", "members", "idp_groups", "lead_idp_groups", "grants"}
_GRANT = {
    "workspace",
    "service_accounts",
    "max_ttl",
    "default_ttl",
    "approval",
    "reason",
    "self_approval",
    "max_live",
    "max_live_per_person",
}

T = TypeVar("T")


def parse(text: str) -> AccessFile:
    """Read an access file; raises AccessFileError with every mistake that is in it."""
    reader = _Reader()
    file = reader.file(read(text))
    if reader.problems:
        raise AccessFileError(reader.problems)
    return file


def seconds(text: object) -> int:
    """A duration such as ``30d``, ``8h``, ``90m`` or a number of seconds; raises ValueError."""
    match = _DURATION.fullmatch(str(text))
    if match is None or isinstance(text, bool):
        raise ValueError
    return int(match[1]) * _SECONDS[match[2]]


@dataclass(frozen=True, slots=True)
class _Fields:
    """A mapping's values by their names; what is missing stands where the mapping does."""

    item: Item
    values: dict[str, Item]

    def __call__(self, name: str, default: object = None) -> Item:
        found = self.values.get(name)
        if found is None or (found.value is None and default is not None):
            return Item(default, self.item.line, self.item.column)
        return found


@dataclass(slots=True)
class _Reader:
    """Walks the document and collects what is wrong, each with the place where it stands."""

    problems: list[Problem] = field(default_factory=list)

    def file(self, root: Item) -> AccessFile:
        top = self._fields(root, "the file", {"version", "connections", "people", "teams"})
        version = top("version")
        if version.value != 1 or isinstance(version.value, bool):
            self._say(version, "version", "must be 1")
        connections = tuple(
            self._connection(name, entry)
            for name, entry in self._pairs(top("connections"), "connections")
        )
        people = self._people(top("people"))
        teams = tuple(self._team(slug, entry) for slug, entry in self._pairs(top("teams"), "teams"))
        return AccessFile(connections, people, teams, names_all_admins="people" in top.values)

    def _connection(self, name: Item, entry: Item) -> ConnectionEntry:
        path = f"connections.{name.value}"
        fields = self._fields(entry, path, set(_CONNECTION))
        said = {
            key: self._text(value, f"{path}.{key}", _CONNECTION[key])
            for key, value in fields.values.items()
        }
        return ConnectionEntry(self._slug(name, path), **said)

    def _people(self, listed: Item) -> tuple[PersonEntry, ...]:
        def person(entry: Item, path: str) -> PersonEntry:
            fields = self._fields(entry, path, {"email", "admin", "auditor"})
            return PersonEntry(
                self._email(fields("email"), f"{path}.email"),
                self._flag(fields("admin", False), f"{path}.admin"),
                self._flag(fields("auditor", False), f"{path}.auditor"),
            )

        people = self._each(listed, "people", person)
        self._once(listed, "people", [one.email for one in people])
        return people

    def _team(self, slug: Item, entry: Item) -> TeamEntry:
        path = f"teams.{slug.value}"
        fields = self._fields(entry, path, _TEAM)
        leads = self._distinct(fields("leads"), f"{path}.leads", self._email)
        members = self._distinct(fields("members"), f"{path}.members", self._email)
        for number, email in enumerate(members):
            if email and email in leads:
                item = fields("members").value[number]
                self._say(item, f"{path}.members[{number}]", f"{email} is a lead of this team")
        return TeamEntry(
            self._slug(slug, path),
            leads,
            members,
            self._each(fields("grants"), f"{path}.grants", self._grant),
            self._distinct(fields("idp_groups"), f"{path}.idp_groups", self._group),
            self._distinct(fields("lead_idp_groups"), f"{path}.lead_idp_groups", self._group),
        )

    def _grant(self, entry: Item, path: str) -> GrantEntry:
        fields = self._fields(entry, path, _GRANT)
        listed = fields("service_accounts", [Item(EVERY, entry.line, entry.column)])
        accounts = self._distinct(listed, f"{path}.service_accounts", self._name)
        if listed.value == []:
            self._say(listed, f"{path}.service_accounts", "names no service account")
        if EVERY in accounts and len(accounts) > 1:
            self._say(listed, f"{path}.service_accounts", "“*” names every other one already")
        max_ttl = self._lifetime(fields("max_ttl", "30d"), f"{path}.max_ttl")
        suggested = fields("default_ttl", min(max_ttl or LONGEST_LIFETIME, 7 * _SECONDS["d"]))
        default_ttl = self._lifetime(suggested, f"{path}.default_ttl")
        if max_ttl and default_ttl > max_ttl:
            self._say(suggested, f"{path}.default_ttl", "is longer than max_ttl")
        approvals = ("never", "admin-role", "always")
        reasons = ("optional", "required")
        reason = self._word(fields("reason", "optional"), f"{path}.reason", reasons)
        return GrantEntry(
            workspace=self._name(fields("workspace"), f"{path}.workspace"),
            service_accounts=accounts,
            max_ttl=max_ttl,
            default_ttl=default_ttl,
            approval=self._word(fields("approval", "never"), f"{path}.approval", approvals),
            reason_required=reason == "required",
            self_approval=self._flag(fields("self_approval", False), f"{path}.self_approval"),
            max_live=self._count(fields("max_live"), f"{path}.max_live"),
            max_live_per_person=self._count(
                fields("max_live_per_person"), f"{path}.max_live_per_person"
            ),
            place=fields("workspace").at(path),
            account_places=tuple(
                item.at(f"{path}.service_accounts[{number}]")
                for number, item in enumerate(self._items(listed))
            ),
        )

    # -- Shapes -------------------------------------------------------------------------------

    def _say(self, item: Item, path: str, text: str) -> None:
        self.problems.append(Problem(item.at(path), text))

    def _pairs(self, item: Item, path: str) -> Pairs:
        if item.value is None or isinstance(item.value, Pairs):
            return item.value or Pairs()
        self._say(item, path, "must be a mapping")
        return Pairs()

    def _fields(self, item: Item, path: str, known: set[str]) -> _Fields:
        values = {}
        for key, value in self._pairs(item, path):
            if key.value in known:
                values[key.value] = value
            else:
                self._say(key, path, f"does not know {key.value!r}")
        return _Fields(item, values)

    def _items(self, item: Item) -> list[Item]:
        is_list = isinstance(item.value, list) and not isinstance(item.value, Pairs)
        return item.value if is_list else []

    def _each(self, item: Item, path: str, read: Callable[[Item, str], T]) -> tuple[T, ...]:
        """What ``read`` makes of each item of a list; a list that is not there is empty."""
        items = self._items(item)
        if item.value is not None and items is not item.value:
            self._say(item, path, "must be a list")
        return tuple(read(one, f"{path}[{number}]") for number, one in enumerate(items))

    def _distinct(self, item: Item, path: str, read: Callable[[Item, str], str]) -> tuple[str, ...]:
        found = self._each(item, path, read)
        self._once(item, path, list(found))
        return found

    def _once(self, listed: Item, path: str, found: list[str]) -> None:
        seen: set[str] = set()
        for number, (item, text) in enumerate(zip(self._items(listed), found, strict=True)):
            if text and text in seen:
                self._say(item, f"{path}[{number}]", f"{text} stands here twice")
            seen.add(text)

    def _text(self, item: Item, path: str, longest: int) -> str:
        if not isinstance(item.value, str) or len(item.value) > longest:
            self._say(item, path, f"must be a text of at most {longest} characters")
            return ""
        self._seen(item, path, item.value)
        return str(item.value)

    def _group(self, item: Item, path: str) -> str:
        group = self._text(item, path, _LONGEST_GROUP)
        if item.value == "":
            self._say(item, path, "names no group")
        return group

    def _name(self, item: Item, path: str) -> str:
        """An id or a name; ids of service accounts are numbers to YAML."""
        if isinstance(item.value, bool) or not isinstance(item.value, str | int):
            missing = item.value is None
            self._say(item, path, "is missing" if missing else "must be an id or a name")
            return ""
        found = str(item.value)
        if found:
            self._seen(item, path, found)
        else:
            self._say(item, path, "is missing")
        return found

    def _seen(self, item: Item, path: str, text: str) -> None:
        """Whether people see what the text holds, and that it holds anything."""
        if character := unseen(text):
            self._say(item, path, f"holds {character}, which nobody sees")
        elif text and not is_visible(text):
            self._say(item, path, "shows nothing")

    def _email(self, item: Item, path: str) -> str:
        try:
            return canonical(item.value if isinstance(item.value, str) else "")
        except NotAnAddressError as error:
            self._say(item, path, str(error))
            return ""

    def _slug(self, item: Item, path: str) -> str:
        if not _SLUG.fullmatch(str(item.value)):
            self._say(item, path, "names are lower-case letters, digits, - and _, 64 at most")
        return str(item.value)

    def _flag(self, item: Item, path: str) -> bool:
        if not isinstance(item.value, bool):
            self._say(item, path, "must be true or false")
        return item.value is True

    def _word(self, item: Item, path: str, choices: tuple[str, ...]) -> str:
        if item.value not in choices:
            self._say(item, path, f"must be one of {', '.join(choices)}")
        return str(item.value)

    def _lifetime(self, item: Item, path: str) -> int:
        """Seconds; 0 after a mistake."""
        try:
            found = seconds(item.value)
        except ValueError:
            found = 0
        if not 1 <= found <= LONGEST_LIFETIME:
            self._say(item, path, "must be a duration such as 8h, from 1s to 30d")
            return 0
        return found

    def _count(self, item: Item, path: str) -> int | None:
        number = item.value
        if number is None:
            return None
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MOST_LIVE:
            self._say(item, path, f"must be a whole number from 0 to {MOST_LIVE:,}")
            return None
        return number
