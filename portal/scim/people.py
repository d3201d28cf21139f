"""People, as SCIM's Users: read from the database here, written by portal.flows.provision."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from scim2_models import (
    InvalidValueException,
    Meta,
    NotFoundException,
    PreconditionFailedException,
    Reference,
    UniquenessException,
)
from scim2_models.path import CompareOperator

from portal import mailbox
from portal.audit import Actor
from portal.flows import provision
from portal.flows.provision import PersonSaid
from portal.life import Effects
from portal.logs import mask
from portal.models import ProvisionedPerson, ScimGroupMember, User
from portal.scim import filters, resources
from portal.scim.filters import Constant, Flag, Key, Membership, Moment, Text
from portal.scim.ids import group_key, person_key
from portal.text import is_visible, unseen, without_unseen


def _address(op: CompareOperator, value: Any) -> Q:
    """By the index of addresses, in whatever case."""
    if op == CompareOperator.eq and isinstance(value, str):
        return Q(email__in=mailbox.spellings(value))
    return Text("email")(op, value)


ATTRIBUTES: dict[str, filters.Question] = {
    "id": Key(person_key),
    "username": _address,
    "emails": _address,
    "emails.value": _address,
    "emails.type": Constant("work"),
    "emails.primary": Constant(True),
    "externalid": Text("external_id", case_exact=True),
    "displayname": Text("display_name"),
    "name.givenname": Text("given_name"),
    "name.familyname": Text("family_name"),
    "active": Flag("is_active"),
    "groups": Membership("user", "group", group_key),
    "groups.value": Membership("user", "group", group_key),
    "meta.created": Moment("created_at"),
    "meta.lastmodified": Moment("changed_at"),
    "meta.resourcetype": Constant("User"),
}


class People:
    """The storage of Users. ``effects`` is what its changes leave to do."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.effects = Effects()

    def rows(self) -> "QuerySet[User]":
        """Everybody whom provisioning has not deleted, with what it says of them."""
        return (
            User.objects.filter(provisioned__removed_at=None)
            .select_related("provisioned")
            .annotate(
                display_name=Coalesce("provisioned__display_name", F("name")),
                **{
                    name: Coalesce(f"provisioned__{name}", Value(""))
                    for name in ("external_id", "given_name", "family_name")
                },
                changed_at=Coalesce("provisioned__changed_at", F("created_at")),
            )
            .order_by("pk")
        )

    def get(self, text: str) -> resources.User:
        key = person_key(text)
        person = self.rows().filter(pk=key).first() if key else None
        if person is None:
            raise NotFoundException(detail=f"There is no person {text[:40]!r}.")
        return self.told([person])[0]

    def told(self, people: Iterable[User]) -> list[resources.User]:
        """People with their groups, in SCIM's terms."""
        people = list(people)
        groups: dict[int, list[resources.GroupOfUser]] = defaultdict(list)
        rows = ScimGroupMember.objects.filter(user__in=people).order_by("pk")
        for user, group, name in rows.values_list("user", "group", "group__display_name"):
            one = resources.GroupOfUser(
                value=str(group), ref=Reference(f"Groups/{group}"), display=name
            )
            groups[user].append(one)
        return [_told(person, groups[person.pk]) for person in people]

    def create(self, resource: resources.User) -> resources.User:
        said = _said(resource)
        if said.is_active is None:
            said = replace(said, is_active=True)
        try:
            key, effects = provision.admit(said, actor=self.actor)
        except provision.AddressTakenError:
            raise UniquenessException(detail="Somebody with this userName is here.") from None
        self.effects += effects
        return self.get(str(key))

    def update(self, resource: resources.User, version: str | None) -> resources.User:
        def is_as_read(person: User) -> bool:
            return version in (None, _version(person))

        key, said = person_key(resource.id or "") or 0, _said(resource)
        before = self.get(str(key))
        if said == _said(before) and said.is_active is not False:
            return before
        try:
            self.effects += provision.change(key, said, actor=self.actor, is_as_read=is_as_read)
        except provision.AddressTakenError:
            raise UniquenessException(detail="Somebody else has this userName.") from None
        except provision.ChangedMeanwhileError:
            raise PreconditionFailedException from None
        except provision.GoneError:
            raise NotFoundException from None
        return self.get(str(key))

    def delete(self, text: str) -> None:
        try:
            self.effects += provision.remove(person_key(text) or 0, actor=self.actor)
        except provision.GoneError:
            raise NotFoundException from None


def _told(person: User, groups: list[resources.GroupOfUser]) -> resources.User:
    row = getattr(person, "provisioned", None) or ProvisionedPerson(
        display_name=person.name, changed_at=person.created_at
    )
    name = resources.Name(given_name=row.given_name or None, family_name=row.family_name or None)
    return resources.User(
        id=str(person.pk),
        external_id=row.external_id or None,
        user_name=person.email,
        name=name if name.given_name or name.family_name else None,
        display_name=row.display_name or None,
        active=person.is_active if row.says_active else None,
        emails=[resources.Email(value=person.email, type="work", primary=True)],
        groups=groups or None,
        meta=Meta(
            resource_type="User",
            created=person.created_at,
            last_modified=row.changed_at,
            version=_version(person),
        ),
    )


def _version(person: User) -> str:
    """Another after every change of what provisioning says, or somebody here."""
    row = getattr(person, "provisioned", None)
    kept = (row.is_closed, row.says_active, row.changed_at) if row else ()
    said = repr((person.email, person.name, person.is_active, *kept))
    return f'W/"{hashlib.sha256(said.encode()).hexdigest()[:16]}"'


def _said(resource: resources.User) -> PersonSaid:
    """What a request says. Names are made to fit: nobody may stay for a letter in them."""
    email = (resource.user_name or "").strip()
    if not email or len(email) > mailbox.LONGEST or unseen(email) or not is_visible(email):
        raise InvalidValueException(
            detail="A userName is an e-mail address of at most 254 characters that people can see."
        )
    name = resource.name or resources.Name()
    return PersonSaid(
        email=mailbox.folded(email),
        display_name=clean(resource.display_name, 150),
        given_name=clean(name.given_name, 150),
        family_name=clean(name.family_name, 150),
        external_id=clean(resource.external_id, 255),
        is_active=resource.active,
    )


def clean(text: str | None, longest: int) -> str:
    """Without what nobody sees, or looks like a key, and not longer than its column."""
    return without_unseen(mask(text or "")).strip()[:longest].strip()
