"""The company's provider says which groups it has, and who is in them (SCIM)."""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from portal.access import by_groups
from portal.audit import SYSTEM, Actor
from portal.flows.follow_groups import follow_groups
from portal.flows.provision import ChangedMeanwhileError, GoneError
from portal.life import Effects
from portal.models import NamedRole, PersonGroup, ScimGroup, ScimGroupMember, User


@dataclass(frozen=True, slots=True)
class GroupSaid:
    """What provisioning says of a group beside its people."""

    display_name: str
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class PeopleSaid:
    """Who joins and leaves a group; with ``all_others`` everybody leaves who does not join.

    A person who is not known here is passed over: the provider may have deleted them just before.
    """

    joining: Collection[int] = ()
    leaving: Collection[int] = ()
    all_others: bool = False


NOBODY = PeopleSaid()
LATE = timedelta(minutes=2)
"""A change that nobody's access has followed for so long was left by a process that ended."""
BATCH = 20


def found_group(said: GroupSaid, people: PeopleSaid, *, actor: Actor) -> tuple[uuid.UUID, Effects]:
    """Make a group with its people; what the access file says of such a group holds at once."""
    with transaction.atomic():
        group = ScimGroup.objects.create(
            display_name=said.display_name, external_id=said.external_id, revision=1
        )
        concerned = _put(group, people)
    return group.pk, _follow(group, concerned, group.names, actor)


def change_group(
    group_id: uuid.UUID,
    said: GroupSaid | None,
    people: PeopleSaid = NOBODY,
    *,
    actor: Actor,
    is_as_read: Callable[[ScimGroup], bool] = lambda _: True,
) -> Effects:
    """Make the group what is said of it; None leaves its names as they are.

    ``is_as_read`` is asked of the locked row. Raises GoneError or ChangedMeanwhileError.
    """
    with transaction.atomic():
        group = ScimGroup.objects.select_for_update(no_key=True).filter(pk=group_id).first()
        if group is None:
            raise GoneError
        if not is_as_read(group):
            raise ChangedMeanwhileError
        names = group.names
        concerned = _put(group, people)
        if said is not None:
            group.display_name, group.external_id = said.display_name, said.external_id
            if group.names != names:
                concerned |= _people_of(group)
        group.revision, group.changed_at = group.revision + 1, Now()
        group.save()
    return _follow(group, concerned, names | _names(said), actor)


def end_group(group_id: uuid.UUID, *, actor: Actor) -> Effects:
    """A group that provisioning deletes gives nobody anything any more. Raises GoneError."""
    effects = change_group(group_id, None, PeopleSaid(all_others=True), actor=actor)
    ScimGroup.objects.filter(pk=group_id).delete()
    return effects


def follow_changed_groups() -> Effects:
    """Do what was left undone where a process ended between a group's change and its people's.

    Whom such a change was about nobody has kept: it is all in the group, and all whom groups alone
    have made something.
    """
    effects = Effects()
    late = ScimGroup.objects.exclude(followed=F("revision"))
    for group in late.filter(changed_at__lt=Now() - LATE)[:BATCH]:
        by_groups_alone = User.objects.filter(
            Q(admin_by_group=True)
            | Q(auditor_by_group=True)
            | ~Q(memberships__named_role=NamedRole.ROLE) & Q(memberships__isnull=False)
        )
        concerned = _people_of(group) | set(by_groups_alone.values_list("pk", flat=True))
        effects += _follow(group, concerned, None, SYSTEM)
    return effects


def _put(group: ScimGroup, people: PeopleSaid) -> set[int]:
    """Write who is in the group; returns whom it was about."""
    before = _people_of(group) if people.all_others else set()
    joining = set(people.joining)
    leaving = (before | set(people.leaving)) - joining
    known = User.objects.filter(pk__in=joining - before, provisioned__removed_at=None)
    new = set(known.values_list("pk", flat=True))
    ScimGroupMember.objects.filter(group=group, user__in=leaving).delete()
    # What a sign-in said before is older than this word.
    PersonGroup.objects.filter(group__in=group.names, user__in=leaving).delete()
    ScimGroupMember.objects.bulk_create(
        (ScimGroupMember(group=group, user_id=person) for person in sorted(new)),
        ignore_conflicts=True,
    )
    return new | leaving


def _people_of(group: ScimGroup) -> set[int]:
    return set(ScimGroupMember.objects.filter(group=group).values_list("user", flat=True))


def _names(said: GroupSaid | None) -> set[str]:
    return {said.display_name, said.external_id} if said else set()


def _follow(
    group: ScimGroup, concerned: Collection[int], names: Collection[str] | None, actor: Actor
) -> Effects:
    """Most groups mean nothing here, under none of these names."""
    mapped = by_groups.mapped(by_groups.open_teams())
    is_mapped = names is None or not mapped.isdisjoint(names)
    effects = follow_groups(concerned, actor=actor) if is_mapped else Effects()
    rows = ScimGroup.objects.filter(pk=group.pk, followed__lt=group.revision)
    rows.update(followed=group.revision)
    return effects
