"""Writes who belongs to which team, by the access file and by the groups that it maps."""

from portal import mailbox
from portal.access import by_groups, words
from portal.access.entries import AccessFile
from portal.access.words import Change
from portal.models import Membership, PersonGroup, Role, Team, User


def write_memberships(file: AccessFile, teams: dict[str, Team]) -> list[Change]:
    """Make the people of the file's teams those whom it names and whose groups it maps."""
    before: dict[int, dict[str, Membership]] = {team.pk: {} for team in teams.values()}
    for row in Membership.objects.filter(team__in=before).select_related("user").order_by("pk"):
        before[row.team_id][mailbox.folded(row.user.email)] = row
    people = {mailbox.folded(user.email): user for user in User.objects.only("email")}
    held = _forget_unmapped(file)
    in_groups = {email: held[user.pk] for email, user in people.items() if user.pk in held}
    changes: list[Change] = []
    gone, changed, new = [], [], []
    for entry in file.teams:
        team = teams[entry.slug]
        rows = before[team.pk]
        named = dict.fromkeys(entry.leads, Role.LEAD) | dict.fromkeys(entry.members, Role.MEMBER)
        given = {email: by_groups.role_of(groups, entry) for email, groups in in_groups.items()}
        joined = {
            email: found
            for email in named | given
            if (found := by_groups.joined(named.get(email), given.get(email)))
        }
        roles = {email: row.role for email, row in rows.items()}
        wanted = {email: role for email, (role, _) in joined.items()}
        changes += words.memberships(team, roles, wanted)
        gone += [row.pk for email, row in rows.items() if email not in wanted]
        for email, (role, said) in joined.items():
            row_or_none = rows.get(email)
            if row_or_none is None:
                user = people[email]
                new.append(Membership(team=team, user=user, role=role, named_role=said))
            elif (row_or_none.role, row_or_none.named_role) != (role, said):
                row_or_none.role, row_or_none.named_role = role, said
                changed.append(row_or_none)
    Membership.objects.filter(pk__in=gone).delete()
    Membership.objects.bulk_update(changed, ["role", "named_role"])
    Membership.objects.bulk_create(new)
    return changes


def _forget_unmapped(file: AccessFile) -> dict[int, set[str]]:
    """The groups of each person that the file maps to something; the others are kept no longer."""
    mapped = by_groups.mapped(file.teams)
    held = by_groups.known()
    if unmapped := set().union(*held.values()) - mapped:
        PersonGroup.objects.filter(group__in=unmapped).delete()
    return held
