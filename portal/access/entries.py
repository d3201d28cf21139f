"""What an access file says, checked in itself; nothing here knows the catalog or the database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

USUAL_OVERLAP = 7 * 86_400
EVERY = "*"
KEEP, REVOKE = "keep", "revoke"
"""What becomes of the live tokens of who left the team: they stand on the lead's desk, or end."""
MOST_PROBLEMS = 200
"""Lines; a file with more mistakes is another file."""


class Place(NamedTuple):
    """Where something stands in the file, counted from 1; 0 where there is no file."""

    path: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.line else ""
        return ": ".join(part for part in (where, self.path) if part)


NOWHERE = Place()


class Problem(NamedTuple):
    """One mistake, and where it stands."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class AccessFileError(ValueError):
    """The file can't be applied; ``problems`` says why, one line each, in the file's order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        ordered = sorted(problems, key=lambda problem: problem.place[1:])
        self.problems = [str(problem) for problem in ordered[:MOST_PROBLEMS]]
        if len(ordered) > MOST_PROBLEMS:
            self.problems.append(f"and {len(ordered) - MOST_PROBLEMS:,} more mistakes")
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class ConnectionEntry:
    name: str
    region: str = ""
    role_arn: str = ""
    external_id: str = ""
    place: Place = field(default=NOWHERE, compare=False)

    @property
    def settings(self) -> dict[str, str]:
        """What its row says besides the name."""
        return {
            "region": self.region,
            "role_arn": self.role_arn,
            "external_id": self.external_id,
        }


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
    max_overlap: int = USUAL_OVERLAP
    place: Place = NOWHERE
    account_places: tuple[Place, ...] = ()

    def place_of(self, number: int) -> Place:
        """Where the account of this number stands."""
        return self.account_places[number] if self.account_places else self.place


@dataclass(frozen=True, slots=True)
class TeamEntry:
    slug: str
    leads: tuple[str, ...]
    members: tuple[str, ...]
    grants: tuple[GrantEntry, ...]
    idp_groups: tuple[str, ...] = ()
    lead_idp_groups: tuple[str, ...] = ()
    on_leaving: str = KEEP
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class PersonEntry:
    email: str
    admin: bool
    auditor: bool
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class AccessFile:
    """``names_all_admins``: whoever is not among the people is neither admin nor auditor.

    ``warnings`` may mean something else than the file's author thinks.
    """

    connections: tuple[ConnectionEntry, ...]
    people: tuple[PersonEntry, ...]
    teams: tuple[TeamEntry, ...]
    names_all_admins: bool = False
    admin_idp_groups: tuple[str, ...] = ()
    auditor_idp_groups: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
