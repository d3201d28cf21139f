"""A person's groups at the provider make them what the access file says that these groups make.

What the file or an admin gives stays, whatever the groups say; of the two the greater counts.
"""

from collections.abc import Collection, Iterable

from django.db import transaction

from portal import audit
from portal.access import words
from portal.access.words import Change
from portal.audit import Actor
from portal.flows.end_access import end_access
from portal.flows.end_sessions import end_sessions
from portal.life import Effects
from portal.models import Action, GroupRight, Membership, Right, Role, Team, User

BY_GROUPS = "groups of the provider"
"""The reason in the audit log."""


def sync_groups(user: User, groups: Collection[str], *, actor: Actor) -> Effects:
    """Give ``user`` what these groups give, and take what only groups gave that they have left.

    ``groups`` are all that the person is in, by name or by id. What is lost is lost at once:
    sessions, requests and keys end by it as they do for every other reason. Returns what is left to
    do once this is committed.
    """
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        changes = [*_rights(person, set(groups)), *_memberships(person, set(groups))]
        audit.record_many(Action.ACCESS_CHANGED, changes, actor=actor, reason=BY_GROUPS)
    if not changes:
        return Effects()
    end_sessions(actor=actor, people=[person.pk])
    return end_access(actor=actor, people=[person.pk])


def mapped_groups() -> set[str]:
    """Every group that the access file names for something."""
    named = set(GroupRight.objects.values_list("group", flat=True))
    for team in Team.objects.filter(closed_at=None).only("idp_groups", "lead_idp_groups"):
        named.update(team.idp_groups, team.lead_idp_groups)
    return named


def role_by_groups(team: Team, groups: Collection[str]) -> str:
    """What a person of these groups is to the team; empty if nothing."""
    if not set(groups).isdisjoint(team.lead_idp_groups):
        return Role.LEAD
    return Role.MEMBER if not set(groups).isdisjoint(team.idp_groups) else ""


def rights_by_groups(mapped: Iterable[tuple[str, str]], groups: Collection[str]) -> str:
    """What a person of these groups is to the whole portal, in words; ``mapped`` are pairs of a
    right and a group that gives it."""
    given = {right for right, group in mapped if group in groups}
    return " ".join(sorted(given))


def greater(*roles: str) -> str:
    """The greatest of these roles; empty if none is one."""
    return max(roles, key=("", Role.MEMBER, Role.LEAD).index)


def base_role(row: Membership) -> str:
    """What the person is to the team without their groups."""
    return row.role if row.role_by_file is None else row.role_by_file


def base_rights(user: User) -> set[str]:
    """What the person is to the whole portal without their groups."""
    if user.rights_by_file is not None:
        return set(user.rights_by_file.split())
    held = ((Right.ADMIN, user.is_admin), (Right.AUDITOR, user.is_auditor))
    return {right for right, is_so in held if is_so}


def set_rights(user: User, base: set[str], by_groups: str) -> bool:
    """Write these rights to the row, which is still to be saved; False if that changes nothing."""
    held = base | set(by_groups.split())
    said = " ".join(sorted(base))
    now = (Right.ADMIN in held, Right.AUDITOR in held, by_groups)
    was = (user.is_admin, user.is_auditor, user.rights_by_groups)
    if now == was and user.rights_by_file in (said, None):
        return False
    user.is_admin, user.is_auditor, user.rights_by_groups = now
    user.rights_by_file = said
    return True


RIGHTS = ("is_admin", "is_auditor", "rights_by_groups", "rights_by_file")
"""The columns that ``set_rights`` writes."""


def _rights(user: User, groups: set[str]) -> Iterable[Change]:
    given = rights_by_groups(GroupRight.objects.values_list("right", "group"), groups)
    before = (user.is_admin, user.is_auditor)
    if set_rights(user, base_rights(user), given):
        user.save(update_fields=RIGHTS)
        if (user.is_admin, user.is_auditor) != before:
            said = words.rights(user.is_admin, user.is_auditor)
            yield Change(f"~ person {user.email}: now {said}")


def _memberships(user: User, groups: set[str]) -> Iterable[Change]:
    rows = {row.team_id: row for row in Membership.objects.filter(user=user)}
    teams = Team.objects.filter(closed_at=None).order_by("slug")
    for team in teams.only("slug", "name", "idp_groups", "lead_idp_groups"):
        row, given = rows.get(team.pk), role_by_groups(team, groups)
        if given == (row.role_by_groups if row else ""):
            continue
        base = base_role(row) if row else ""
        role = greater(base, given)
        before = {user.email: row.role} if row else {}
        after = {user.email: role} if role else {}
        yield from words.memberships(team, before, after)
        if row is None:
            row = Membership(user=user, team=team)
        if role:
            row.role, row.role_by_file, row.role_by_groups = role, base, given
            row.save()
        else:
            row.delete()
