"""Groups, as SCIM has them: read from the database, written by portal.flows.provision_groups."""

import uuid
from collections import defaultdict
from collections.abc import Iterable

from django.db.models import QuerySet
from scim2_models import (
    InvalidValueException,
    Meta,
    NotFoundException,
    PreconditionFailedException,
)

from portal.audit import Actor
from portal.flows import provision_groups
from portal.flows.provision import ChangedMeanwhileError, GoneError
from portal.flows.provision_groups import GroupSaid, PeopleSaid
from portal.life import Effects
from portal.models import ScimGroup, ScimGroupMember
from portal.scim import filters, resources
from portal.scim.dialects import MemberChanges
from portal.scim.filters import Constant, Key, Membership, Moment, Text
from portal.scim.ids import group_key, person_key
from portal.scim.people import clean

ATTRIBUTES: dict[str, filters.Question] = {
    "id": Key(group_key),
    "externalid": Text("external_id", case_exact=True),
    "displayname": Text("display_name"),
    "members": Membership("group", "user", person_key),
    "members.value": Membership("group", "user", person_key),
    "members.type": Constant("User"),
    "meta.created": Moment("created_at"),
    "meta.lastmodified": Moment("changed_at"),
    "meta.resourcetype": Constant("Group"),
}


class Groups:
    """The storage of Groups. ``effects`` is what its changes leave to do."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.effects = Effects()

    def rows(self) -> "QuerySet[ScimGroup]":
        return ScimGroup.objects.order_by("created_at", "pk")

    def get(self, text: str, *, with_members: bool = True) -> resources.Group:
        key = group_key(text)
        group = self.rows().filter(pk=key).first() if key else None
        if group is None:
            raise NotFoundException(detail=f"There is no group {text[:40]!r}.")
        return self.told([group], with_members=with_members)[0]

    def told(
        self, groups: Iterable[ScimGroup], *, with_members: bool = True
    ) -> list[resources.Group]:
        """Groups with their people, in SCIM's terms."""
        groups = list(groups)
        members: dict[uuid.UUID, list[resources.Member]] = defaultdict(list)
        if with_members:
            rows = ScimGroupMember.objects.filter(group__in=groups).order_by("user")
            for group, user in rows.values_list("group", "user"):
                # As it comes from our own rows: to check each of ten thousand takes seconds.
                one = resources.Member.model_construct(
                    value=str(user), ref=f"Users/{user}", type="User"
                )
                members[group].append(one)
        return [_told(group, members[group.pk]) for group in groups]

    def create(self, resource: resources.Group) -> resources.Group:
        people = PeopleSaid(joining=_keys(_values(resource)))
        key, effects = provision_groups.found_group(_said(resource), people, actor=self.actor)
        self.effects += effects
        return self.get(str(key))

    def update(
        self, resource: resources.Group, version: str | None, people: PeopleSaid | None = None
    ) -> resources.Group:
        """``people`` are changes of who is in it; without, ``resource`` names them all."""
        if people is None:
            people = PeopleSaid(joining=_keys(_values(resource)), all_others=True)
        self._change(resource.id or "", _said(resource), people, version)
        return self.get(resource.id or "")

    def change_members(self, text: str, changes: MemberChanges) -> None:
        people = PeopleSaid(
            _keys(changes.joining), _keys(changes.leaving), all_others=changes.all_others
        )
        self._change(text, None, people, None)

    def delete(self, text: str) -> None:
        try:
            self.effects += provision_groups.end_group(
                group_key(text) or uuid.UUID(int=0), actor=self.actor
            )
        except GoneError:
            raise NotFoundException from None

    def _change(
        self, text: str, said: GroupSaid | None, people: PeopleSaid, version: str | None
    ) -> None:
        try:
            self.effects += provision_groups.change_group(
                group_key(text) or uuid.UUID(int=0),
                said,
                people,
                actor=self.actor,
                is_as_read=lambda group: version in (None, _version(group)),
            )
        except ChangedMeanwhileError:
            raise PreconditionFailedException from None
        except GoneError:
            raise NotFoundException from None


def _told(group: ScimGroup, members: list[resources.Member]) -> resources.Group:
    return resources.Group(
        id=str(group.pk),
        external_id=group.external_id or None,
        display_name=group.display_name,
        meta=Meta(
            resource_type="Group",
            created=group.created_at,
            last_modified=group.changed_at,
            version=_version(group),
        ),
    ).model_copy(update={"members": members or None})


def _version(group: ScimGroup) -> str:
    return f'W/"{group.revision}"'


def _said(resource: resources.Group) -> GroupSaid:
    name = clean(resource.display_name, 255)
    if not name:
        raise InvalidValueException(detail="A group has a displayName that people can see.")
    return GroupSaid(display_name=name, external_id=clean(resource.external_id, 255))


def _values(resource: resources.Group) -> set[str]:
    members = resource.members or []
    return {one.value or str(one.ref or "").rpartition("/")[2] for one in members}


def _keys(texts: Iterable[str]) -> set[int]:
    """Of people. Groups in groups, and what is nobody's id, are passed over."""
    return {key for text in texts if (key := person_key(text))}
