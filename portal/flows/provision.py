"""The company's provider says who is in it (SCIM): people come, change, leave and come back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from portal import audit, mailbox, notify
from portal.access import words
from portal.access.words import Change
from portal.audit import Actor
from portal.flows.end_sessions import CLOSED, end_sessions
from portal.flows.follow_groups import follow_groups
from portal.flows.leave import leave
from portal.life import Effects
from portal.models import Action, PersonGroup, ProvisionedPerson, ScimGroupMember, User


class AddressTakenError(Exception):
    """Somebody else has this address."""


class GoneError(Exception):
    """There is no such person, or no such group, any more."""


class ChangedMeanwhileError(Exception):
    """Somebody else has changed it since it was read."""


@dataclass(frozen=True, slots=True)
class PersonSaid:
    """What provisioning says of a person. ``is_active`` None: nothing, it stays as it is."""

    email: str
    display_name: str = ""
    given_name: str = ""
    family_name: str = ""
    external_id: str = ""
    is_active: bool | None = True

    @property
    def name(self) -> str:
        """What pages call the person."""
        return self.display_name or f"{self.given_name} {self.family_name}".strip()[:150]


def admit(said: PersonSaid, *, actor: Actor) -> tuple[int, Effects]:
    """Make a person, or take one back whom provisioning had deleted; returns their id.

    Nobody has named them: what they may do, their groups say. Raises AddressTakenError.
    """
    removed = ProvisionedPerson.objects.exclude(removed_at=None)
    known = removed.filter(user__email__in=mailbox.spellings(said.email)).first()
    if known is not None:
        effects = change(known.pk, said, actor=actor)
        effects += follow_groups([known.pk], actor=actor)
        return known.pk, effects
    is_active = said.is_active is not False
    try:
        with transaction.atomic():
            email = mailbox.folded(said.email)
            person = User(email=email, name=said.name, is_active=is_active, is_named=False)
            if _is_taken(email, by_others_than=person):
                raise AddressTakenError
            person.rights_seen = "" if is_active else CLOSED  # nothing of theirs is to end
            person.set_unusable_password()
            person.save()
            row = ProvisionedPerson(user=person, is_closed=not is_active)
            _write(row, said)
            row.save(force_insert=True)
            _tell([words.person(email, is_active=is_active)], actor)
    except IntegrityError:
        raise AddressTakenError from None
    return person.pk, Effects()


def change(
    person_id: int,
    said: PersonSaid,
    *,
    actor: Actor,
    is_as_read: Callable[[User], bool] = lambda _: True,
) -> Effects:
    """Make a person what is said of them, and end or open their access.

    ``is_as_read`` is asked of the locked row. Only an account that provisioning has closed does it
    open again. Raises AddressTakenError, GoneError or ChangedMeanwhileError.
    """
    if said.is_active and User.objects.filter(pk=person_id, is_active=False).exists():
        # Before they may sign in again: a session of before must not outlive it.
        end_sessions(actor=actor, people=[person_id])
    try:
        with transaction.atomic():
            person, row = _lock(person_id)
            if not is_as_read(person):
                raise ChangedMeanwhileError
            before = person.email
            changes = [*_rename(person, said), *_open_or_close(person, row, said.is_active)]
            person.save(update_fields=["email", "name", "is_active"])
            mails = []
            if person.email != before:
                mails = notify.tell_of_new_address(person, before=before, actor=actor)
            row.removed_at = None
            _write(row, said)
            row.save()
            _tell(changes, actor)
    except IntegrityError:
        raise AddressTakenError from None
    if said.is_active is False:
        return leave(person_id, actor=actor, reason=words.BY_PROVISIONING)
    return Effects(account_mail=mails)


def remove(person_id: int, *, actor: Actor) -> Effects:
    """A person whom provisioning deletes leaves, and is in no group any more.

    Their row stays: what they did is told for good. Raises GoneError.
    """
    with transaction.atomic():
        person, row = _lock(person_id)
        changes = _open_or_close(person, row, is_active=False)
        person.save(update_fields=["is_active"])
        row.removed_at = row.changed_at = Now()
        row.save()
        ScimGroupMember.objects.filter(user=person).delete()
        PersonGroup.objects.filter(user=person).delete()
        _tell(changes, actor)
    effects = leave(person_id, actor=actor, reason=words.BY_PROVISIONING)
    effects += follow_groups([person_id], actor=actor)
    return effects


def _lock(person_id: int) -> tuple[User, ProvisionedPerson]:
    list(User.objects.select_for_update(no_key=True).filter(pk=person_id).values_list("pk"))
    person = User.objects.select_related("provisioned").filter(pk=person_id).first()
    if person is None:
        raise GoneError
    # By its number: an unsaved row must not look like what is known of the person.
    return person, getattr(person, "provisioned", None) or ProvisionedPerson(user_id=person.pk)


def _is_taken(email: str, by_others_than: User) -> bool:
    """Older records keep a domain as it was written: to the database that is another one."""
    others = User.objects.exclude(pk=by_others_than.pk) if by_others_than.pk else User.objects.all()
    return others.filter(email__in=mailbox.spellings(email)).exists()


def _rename(person: User, said: PersonSaid) -> list[Change]:
    before, email, person.name = person.email, mailbox.folded(said.email), said.name
    if mailbox.folded(before) == email:
        return []
    if _is_taken(email, by_others_than=person):
        if said.is_active is False:
            return []  # a refusal would leave them in
        raise AddressTakenError
    person.email = email
    return [Change(f"~ person {before}: now {email}")]


def _open_or_close(person: User, row: ProvisionedPerson, is_active: bool | None) -> list[Change]:
    if is_active is None:
        return []
    before = person.is_active
    if is_active:
        # Closed by an admin it stays so: it is theirs to open.
        person.is_active = before or row.is_closed
        row.is_closed = False
    else:
        row.is_closed, person.is_active = row.is_closed or before, False
    if person.is_active == before:
        return []
    return [words.account(person.email, is_active=person.is_active)]


def _write(row: ProvisionedPerson, said: PersonSaid) -> None:
    row.display_name, row.external_id = said.display_name, said.external_id
    row.given_name, row.family_name = said.given_name, said.family_name
    row.says_active = said.is_active is not None
    row.changed_at = Now()


def _tell(changes: Iterable[Change], actor: Actor) -> None:
    audit.record_many(Action.ACCESS_CHANGED, changes, actor=actor, reason=words.BY_PROVISIONING)
