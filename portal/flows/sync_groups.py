"""A person's groups are what the provider says they are now: teams and rights follow.

Whoever hears of groups calls this: a sign-in, and provisioning. What the access file or an admin
has named a person stays, whatever the groups say.
"""

from collections.abc import Collection

from django.db import transaction

from portal import audit
from portal.access import by_groups, words
from portal.access.words import Change
from portal.audit import SYSTEM, Actor
from portal.flows.end_access import end_access
from portal.flows.end_sessions import end_sessions
from portal.life import Effects
from portal.models import Action, Membership, PersonGroup, Team, User


def sync_groups(user: User, groups: Collection[str], *, actor: Actor) -> Effects:
    """Make the person's teams and rights what ``groups``, all of them, say.

    What is lost by it ends at once: sessions of who loses the rights of an admin, auditor or lead,
    open requests and keys not yet delivered (docs/LIFE.md). The log says what has changed. The row
    of ``user`` is read anew, and is another object than the one given.
    """
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        teams = by_groups.open_teams()
        held = by_groups.mapped(teams).intersection(groups)
        _keep(person, held)
        changes = [*_rights(person, held), *_memberships(person, held, teams)]
        audit.record_many(Action.ACCESS_CHANGED, changes, actor=actor, reason=words.BY_GROUPS)
    if not changes:
        return Effects()
    end_sessions(actor=SYSTEM, people=[person.pk])
    return end_access(actor=SYSTEM, people=[person.pk])


def _keep(person: User, held: set[str]) -> None:
    """Keep the groups that mean something; most sign-ins find them as they were."""
    before = set(person.idp_groups.values_list("group", flat=True))
    if gone := before - held:
        person.idp_groups.filter(group__in=gone).delete()
    if new := sorted(held - before):
        PersonGroup.objects.bulk_create(PersonGroup(user=person, group=group) for group in new)


def _rights(person: User, held: set[str]) -> list[Change]:
    was = by_groups.columns(person)
    named = by_groups.named_rights(person)
    by_groups.set_rights(person, named, held, by_groups.groups_of_rights())
    now = by_groups.columns(person)
    if now != was:
        person.save(update_fields=by_groups.RIGHTS)
    if now[:2] == was[:2]:
        return []
    said = words.rights(person.is_admin, person.is_auditor)
    return [Change(f"~ person {person.email}: now {said}")]


def _memberships(person: User, held: set[str], teams: list[Team]) -> list[Change]:
    rows = {row.team_id: row for row in person.memberships.all()}
    changes: list[Change] = []
    for team in teams:
        row = rows.get(team.pk)
        wanted = by_groups.joined(row.named if row else None, by_groups.role_of(held, team))
        before = {person.email: row.role} if row else {}
        after = {person.email: str(wanted[0])} if wanted else {}
        changes += words.memberships(team, before, after)
        if wanted is None:
            if row:
                row.delete()
        elif row is None:
            role, named = wanted
            Membership.objects.create(user=person, team=team, role=role, named_role=named)
        elif (row.role, row.named_role) != wanted:
            row.role, row.named_role = wanted
            row.save(update_fields=["role", "named_role"])
    return changes
