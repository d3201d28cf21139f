"""The access file: what its text means, and what is wrong with it. Knows no database.

The format stands in docs/ACCESS.md. Everything is checked before anything is applied.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

LONGEST_LIFETIME = 2_592_000
EVERY = "*"
MOST_LIVE = 1_000_000

_DURATION = re.compile(r"(\d{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_EMAIL = re.compile(r"(?=.{3,254}$)[^@\s]+@[^@\s]+")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_CONNECTION = {"region": 32, "role_arn": 200, "external_id": 200}
"""What a connection may say, and the most characters of each."""


class AccessFileError(ValueError):
    """The file can't be applied; ``problems`` says why, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ConnectionEntry:
    name: str
    region: str = ""
    role_arn: str = ""
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class GrantEntry:
    """Lifetimes in seconds; ``workspace`` is an id, a name, or "*"."""

    workspace: str
    service_accounts: tuple[str, ...]
    max_ttl: int
    default_ttl: int
    approval: str
    reason_required: bool
    self_approval: bool
    max_live: int | None
    max_live_per_person: int | None


@dataclass(frozen=True, slots=True)
class TeamEntry:
    slug: str
    leads: tuple[str, ...]
    members: tuple[str, ...]
    grants: tuple[GrantEntry, ...]


@dataclass(frozen=True, slots=True)
class PersonEntry:
    email: str
    admin: bool
    auditor: bool


@dataclass(frozen=True, slots=True)
class AccessFile:
    connections: tuple[ConnectionEntry, ...]
    people: tuple[PersonEntry, ...]
    teams: tuple[TeamEntry, ...]


class _Loader(yaml.SafeLoader):
    """Refuses two equal keys, of which YAML would silently drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                raise yaml.MarkedYAMLError(
                    problem=f"{key!r} stands here twice",
                    problem_mark=node.value[number][0].start_mark,
                )
        return super().construct_mapping(node, deep)


def parse(text: str) -> AccessFile:
    """Read an access file; raises AccessFileError with every mistake that is in it."""
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except yaml.YAMLError as error:
        raise AccessFileError([f"This is not YAML: {error}"]) from None
    return _Reader().file(document)


def seconds(text: object) -> int:
    """A duration such as ``30d``, ``8h``, ``90m`` or a number of seconds; raises ValueError."""
    match = _DURATION.fullmatch(str(text))
    if match is None or isinstance(text, bool):
        raise ValueError
    return int(match[1]) * _SECONDS[match[2]]


@dataclass(slots=True)
class _Reader:
    """Walks the document and collects what is wrong, each with the place where it stands."""

    problems: list[str] = field(default_factory=list)

    def file(self, document: Any) -> AccessFile:
        top = self._mapping(document, "the file", {"version", "connections", "people", "teams"})
        if top.get("version") != 1 or isinstance(top.get("version"), bool):
            self.problems.append("version: must be 1")
        connections = tuple(
            self._connection(name, entry)
            for name, entry in self._mapping(top.get("connections"), "connections").items()
        )
        people = tuple(
            self._person(entry, f"people[{number}]")
            for number, entry in enumerate(self._list(top.get("people"), "people"))
        )
        teams = tuple(
            self._team(slug, entry)
            for slug, entry in self._mapping(top.get("teams"), "teams").items()
        )
        if self.problems:
            raise AccessFileError(self.problems)
        return AccessFile(connections, people, teams)

    def _connection(self, name: Any, entry: Any) -> ConnectionEntry:
        place = f"connections.{name}"
        entry = self._mapping(entry, place, set(_CONNECTION))
        for key, value in entry.items():
            if not isinstance(value, str) or len(value) > _CONNECTION[key]:
                self.problems.append(
                    f"{place}.{key}: must be a text of at most {_CONNECTION[key]} characters"
                )
        return ConnectionEntry(self._slug(name, place), **entry)

    def _person(self, entry: Any, place: str) -> PersonEntry:
        entry = self._mapping(entry, place, {"email", "admin", "auditor"})
        return PersonEntry(
            self._email(entry.get("email"), f"{place}.email"),
            self._flag(entry.get("admin", False), f"{place}.admin"),
            self._flag(entry.get("auditor", False), f"{place}.auditor"),
        )

    def _team(self, slug: Any, entry: Any) -> TeamEntry:
        place = f"teams.{slug}"
        entry = self._mapping(
            entry, place, {"leads", "members", "idp_groups", "lead_idp_groups", "grants"}
        )
        return TeamEntry(
            self._slug(slug, place),
            self._emails(entry.get("leads"), f"{place}.leads"),
            self._emails(entry.get("members"), f"{place}.members"),
            tuple(
                self._grant(grant, f"{place}.grants[{number}]")
                for number, grant in enumerate(self._list(entry.get("grants"), f"{place}.grants"))
            ),
        )

    def _grant(self, entry: Any, place: str) -> GrantEntry:
        entry = self._mapping(
            entry,
            place,
            {
                "workspace",
                "service_accounts",
                "max_ttl",
                "default_ttl",
                "approval",
                "reason",
                "self_approval",
                "max_live",
                "max_live_per_person",
            },
        )
        accounts = self._list(entry.get("service_accounts", [EVERY]), f"{place}.service_accounts")
        if not accounts:
            self.problems.append(f"{place}.service_accounts: names no service account")
        max_ttl = self._lifetime(entry.get("max_ttl", "30d"), f"{place}.max_ttl")
        default_ttl = self._lifetime(
            entry.get("default_ttl", min(max_ttl, _SECONDS["d"] * 7)), f"{place}.default_ttl"
        )
        if default_ttl > max_ttl:
            self.problems.append(f"{place}.default_ttl: is longer than max_ttl")
        if not entry.get("workspace"):
            self.problems.append(f"{place}.workspace: is missing")
        return GrantEntry(
            workspace=str(entry.get("workspace")),
            service_accounts=tuple(str(account) for account in accounts),
            max_ttl=max_ttl,
            default_ttl=default_ttl,
            approval=self._word(
                entry.get("approval", "never"), ("never", "admin-role", "always"), place, "approval"
            ),
            reason_required=self._word(
                entry.get("reason", "optional"), ("optional", "required"), place, "reason"
            )
            == "required",
            self_approval=self._flag(entry.get("self_approval", False), f"{place}.self_approval"),
            max_live=self._count(entry.get("max_live"), f"{place}.max_live"),
            max_live_per_person=self._count(
                entry.get("max_live_per_person"), f"{place}.max_live_per_person"
            ),
        )

    # -- Shapes -------------------------------------------------------------------------------

    def _mapping(self, value: Any, place: str, keys: set[str] | None = None) -> dict[Any, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problems.append(f"{place}: must be a mapping")
            return {}
        unknown = [key for key in value if keys is not None and key not in keys]
        for key in unknown:
            self.problems.append(f"{place}: does not know {key!r}")
        return {key: item for key, item in value.items() if key not in unknown}

    def _list(self, value: Any, place: str) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.problems.append(f"{place}: must be a list")
            return []
        return value

    def _emails(self, value: Any, place: str) -> tuple[str, ...]:
        return tuple(
            self._email(one, f"{place}[{number}]")
            for number, one in enumerate(self._list(value, place))
        )

    def _email(self, value: Any, place: str) -> str:
        if not isinstance(value, str) or not _EMAIL.fullmatch(value):
            self.problems.append(f"{place}: must be an e-mail address")
            return ""
        return value.lower()

    def _slug(self, value: Any, place: str) -> str:
        if not _SLUG.fullmatch(str(value)):
            self.problems.append(f"{place}: names are lower-case letters, digits, - and _")
        return str(value)

    def _flag(self, value: Any, place: str) -> bool:
        if not isinstance(value, bool):
            self.problems.append(f"{place}: must be true or false")
        return bool(value)

    def _word(self, value: Any, choices: tuple[str, ...], place: str, name: str) -> str:
        if value not in choices:
            self.problems.append(f"{place}.{name}: must be one of {', '.join(choices)}")
        return str(value)

    def _lifetime(self, value: Any, place: str) -> int:
        try:
            found = seconds(value)
        except ValueError:
            found = 0
        if not 1 <= found <= LONGEST_LIFETIME:
            self.problems.append(f"{place}: must be a duration such as 8h, from 1s to 30d")
            return 1
        return found

    def _count(self, value: Any, place: str) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_LIVE:
            self.problems.append(f"{place}: must be a whole number from 0 to {MOST_LIVE:,}")
            return None
        return value
