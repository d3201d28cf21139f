"""A person's groups are what the provider says they are now: teams and rights follow.

A sign-in calls this. Provisioning, which says of a group who is in it, keeps its own rows
(portal.flows.provision_groups); docs/decisions/0032 says how the two add up.
"""

from collections.abc import Collection

from django.db import transaction

from portal.access import by_groups
from portal.audit import Actor
from portal.flows.follow_groups import follow_groups
from portal.life import Effects
from portal.models import PersonGroup, User


def sync_groups(user: User, groups: Collection[str], *, actor: Actor) -> Effects:
    """Make the person's teams and rights what ``groups``, all of them, say.

    What is lost by it ends at once (portal.flows.follow_groups). The row of ``user`` is read anew,
    and is another object than the one given.
    """
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        _keep(person, by_groups.mapped(by_groups.open_teams()).intersection(groups))
    return follow_groups([person.pk], actor=actor)


def _keep(person: User, held: set[str]) -> None:
    """Keep the groups that mean something; most sign-ins find them as they were."""
    before = set(person.idp_groups.values_list("group", flat=True))
    if gone := before - held:
        person.idp_groups.filter(group__in=gone).delete()
    if new := sorted(held - before):
        PersonGroup.objects.bulk_create(PersonGroup(user=person, group=group) for group in new)
