"""What the groups of single sign-on make of people, beside what somebody has named them.

One rule for each door: a sign-in looks at one person, provisioning at those of a group
(flows.follow_groups), an access file at all whose groups are known (flows.apply_access).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from django.db.models import QuerySet

from portal.models import (
    GroupRight,
    NamedRole,
    PersonGroup,
    Right,
    Role,
    ScimGroupMember,
    Team,
    User,
)

RIGHTS = ("is_admin", "is_auditor", "admin_by_group", "auditor_by_group")
"""Columns that say what somebody may do in the whole portal, and whether groups alone say so."""


class MapsGroups(Protocol):
    """A team, as its row or as the access file has it."""

    @property
    def idp_groups(self) -> Sequence[str]: ...

    @property
    def lead_idp_groups(self) -> Sequence[str]: ...


def role_of(groups: AbstractSet[str], team: MapsGroups) -> Role | None:
    """What these groups make of somebody in the team."""
    if not groups.isdisjoint(team.lead_idp_groups):
        return Role.LEAD
    return None if groups.isdisjoint(team.idp_groups) else Role.MEMBER


def joined(named: Role | None, by_groups: Role | None) -> tuple[Role, NamedRole] | None:
    """The role that holds, and what a membership's row says of the named one; None for neither."""
    if by_groups is None or named in (Role.LEAD, by_groups):
        return (named, NamedRole.ROLE) if named else None
    return by_groups, NamedRole.MEMBER if named else NamedRole.NOBODY


def known(people: Collection[int] | None = None) -> dict[int, set[str]]:
    """The groups of each person: those that the provider named at their last sign-in, and those in
    which provisioning has put them. None asks for everybody."""
    found = provisioned(people)
    said = PersonGroup.objects.values_list("user", "group")
    for person, group in said if people is None else said.filter(user__in=people):
        found[person].add(group)
    return found


def provisioned(people: Collection[int] | None = None) -> defaultdict[int, set[str]]:
    """The groups in which provisioning has put each person, by each name that the file may use."""
    rows = ScimGroupMember.objects.all() if people is None else _of(people)
    found: defaultdict[int, set[str]] = defaultdict(set)
    for person, *names in rows.values_list("user", "group__display_name", "group__external_id"):
        found[person].update({str(name) for name in names if name})
    return found


def _of(people: Collection[int]) -> QuerySet[ScimGroupMember]:
    return ScimGroupMember.objects.filter(user__in=people)


def mapped(teams: Iterable[MapsGroups]) -> set[str]:
    """Every group that makes somebody something, in these teams or in the whole portal."""
    found = set(GroupRight.objects.values_list("group", flat=True))
    return found.union(*([*team.idp_groups, *team.lead_idp_groups] for team in teams))


def open_teams() -> list[Team]:
    return list(Team.objects.filter(closed_at=None))


def columns(person: User) -> tuple[bool, ...]:
    """What RIGHTS hold."""
    return tuple(getattr(person, name) for name in RIGHTS)


def named_rights(person: User) -> tuple[bool, bool]:
    """Whether the access file or an admin has named somebody an admin, an auditor."""
    return (
        person.is_admin and not person.admin_by_group,
        person.is_auditor and not person.auditor_by_group,
    )


def set_rights(
    person: User,
    named: tuple[bool, bool],
    groups: AbstractSet[str],
    groups_of: Mapping[Right, Iterable[str]],
) -> None:
    """Make somebody what they are named, and what their groups make of them."""
    is_admin = not groups.isdisjoint(groups_of[Right.ADMIN])
    is_auditor = not groups.isdisjoint(groups_of[Right.AUDITOR])
    person.is_admin, person.admin_by_group = named[0] or is_admin, is_admin and not named[0]
    person.is_auditor, person.auditor_by_group = named[1] or is_auditor, is_auditor and not named[1]


def groups_of_rights() -> dict[Right, list[str]]:
    """The groups that make somebody an admin, an auditor."""
    found: dict[Right, list[str]] = {right: [] for right in Right}
    for right, group in GroupRight.objects.values_list("right", "group"):
        found[Right(right)].append(group)
    return found
