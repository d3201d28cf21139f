"""What people's groups make of them follows the groups, whoever told of these.

What the access file or an admin has named a person stays, whatever the groups say.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from django.db import transaction

from portal import audit
from portal.access import by_groups, words
from portal.access.words import Change
from portal.audit import SYSTEM, Actor
from portal.flows.end_access import end_access
from portal.flows.end_sessions import end_sessions
from portal.life import Effects
from portal.models import Action, Membership, Right, Team, User

BATCH = 200
"""People in one transaction: a whole company may be put into a group at once."""


def follow_groups(people: Collection[int], *, actor: Actor) -> Effects:
    """Make these people's teams and rights what their groups, as they are known, say.

    What is lost by it ends at once: sessions of who loses the rights of an admin, auditor or lead,
    open requests and keys not yet delivered (docs/LIFE.md). The log says what has changed.
    """
    changed: list[int] = []
    ordered = sorted(people)
    for start in range(0, len(ordered), BATCH):
        changed += _follow(ordered[start : start + BATCH], actor)
    if not changed:
        return Effects()
    end_sessions(actor=SYSTEM, people=changed)
    return end_access(actor=SYSTEM, people=changed)


def _follow(people: Sequence[int], actor: Actor) -> list[int]:
    with transaction.atomic():
        locked = User.objects.select_for_update(no_key=True).filter(pk__in=people).order_by("pk")
        persons = list(locked)
        teams = by_groups.open_teams()
        known = by_groups.known(people)
        held = {person.pk: known.get(person.pk, set()) for person in persons}
        rights = by_groups.groups_of_rights()
        said = {person.pk: _rights(person, held[person.pk], rights) for person in persons}
        for pk, changes in _memberships(persons, held, teams).items():
            said[pk] += changes
        events = [change for changes in said.values() for change in changes]
        audit.record_many(Action.ACCESS_CHANGED, events, actor=actor, reason=words.BY_GROUPS)
    return [pk for pk, changes in said.items() if changes]


def _rights(person: User, held: set[str], groups_of: dict[Right, list[str]]) -> list[Change]:
    was = by_groups.columns(person)
    named = by_groups.named_rights(person)
    by_groups.set_rights(person, named, held, groups_of)
    now = by_groups.columns(person)
    if now != was:
        person.save(update_fields=by_groups.RIGHTS)
    if now[:2] == was[:2]:
        return []
    said = words.rights(person.is_admin, person.is_auditor)
    return [Change(f"~ person {person.email}: now {said}")]


def _memberships(
    persons: Sequence[User], held: dict[int, set[str]], teams: list[Team]
) -> dict[int, list[Change]]:
    rows = {(row.user_id, row.team_id): row for row in Membership.objects.filter(user__in=persons)}
    said: dict[int, list[Change]] = defaultdict(list)
    new, changed, gone = [], [], []
    for person in persons:
        for team in teams:
            row = rows.get((person.pk, team.pk))
            named = row.named if row else None
            wanted = by_groups.joined(named, by_groups.role_of(held[person.pk], team))
            before = {person.email: row.role} if row else {}
            after = {person.email: str(wanted[0])} if wanted else {}
            said[person.pk] += words.memberships(team, before, after)
            if wanted is None:
                gone += [row.pk] if row else []
            elif row is None:
                role, kept = wanted
                new.append(Membership(user=person, team=team, role=role, named_role=kept))
            elif (row.role, row.named_role) != wanted:
                row.role, row.named_role = wanted
                changed.append(row)
    Membership.objects.filter(pk__in=gone).delete()
    Membership.objects.bulk_update(changed, ["role", "named_role"])
    Membership.objects.bulk_create(new)
    return said
