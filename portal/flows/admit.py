"""Somebody whom an identity provider has proved comes in: bound once, and as they are there now.

Every way of single sign-on ends here. The provider's subject is who somebody is; the address binds
a person at the first sign-in alone (docs/decisions/0030).
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from django.db import IntegrityError, transaction

from portal import audit, mailbox, notify
from portal.access import by_groups, words
from portal.audit import Actor
from portal.flows.sync_groups import sync_groups
from portal.identity import Identity, SignInError, bind, bound, is_bound
from portal.life import Effects
from portal.models import Action, NamedRole, User

MOST_SHOWN = 20
NO_LIST = "the provider sent no list of groups"


@dataclass(frozen=True, slots=True)
class Admission:
    """Who comes in, or why nobody does; ``effects`` are those of what the groups have changed."""

    person: User | None
    effects: Effects = field(default_factory=Effects)
    refusal: SignInError | None = None
    has_no_list: bool = False
    """The provider sent no list of groups: what they had given is as it was."""


def admit(identity: Identity, *, actor: Actor) -> Admission:
    """Find or make the person, bind them, and have what they may do follow their groups.

    ``actor`` is where the sign-in comes from. What somebody loses by their groups is lost even if
    they are not let in then.
    """
    try:
        try:
            person, mails, refusal = _take(identity, actor)
        except IntegrityError:  # another of their browsers was quicker: they are here now
            person, mails, refusal = _take(identity, actor)
    except SignInError as error:
        return Admission(None, refusal=error)
    effects = Effects(account_mail=mails)
    if identity.groups is not None:
        effects += sync_groups(person, identity.groups, actor=replace(actor, user=person))
    if refusal is not None:
        return Admission(None, effects, refusal)
    person.refresh_from_db()
    return Admission(person, effects, has_no_list=identity.groups is None)


@transaction.atomic
def _take(identity: Identity, actor: Actor) -> tuple[User, list[int], SignInError | None]:
    """The person, mails that are to go out, and why they may not come in if so.

    Raises SignInError where nobody is known.
    """
    person = bound(identity)
    is_bound_already = person is not None
    person = _locked(person) if person else _by_address(identity)
    if person is None:
        if not _opens_a_door(identity.groups or ()):
            raise _not_admitted(identity)
        person = User.objects.create_user(identity.email, name=identity.name, is_named=False)
    if not person.is_active:
        raise SignInError(
            "closed",
            f"The account of {person.email} is closed here. Ask an admin of this portal.",
            status=403,
            title="Your account is closed",
            email=person.email,
        )
    if not _may_come_in(person, identity.groups):
        return person, [], _not_admitted(identity, person)
    if not is_bound_already:
        bind(person, identity)
    return person, _follow(person, identity, replace(actor, user=person)), None


def _locked(person: User) -> User:
    return User.objects.select_for_update(no_key=True).get(pk=person.pk)


def _by_address(identity: Identity) -> User | None:
    """The person with this address, who has never come by this provider. Raises SignInError."""
    if not identity.email:
        raise SignInError(
            "email_missing",
            "Your company's sign-in did not tell your e-mail address, by which this portal knows "
            "people the first time. Ask an operator of this portal: the provider must send it "
            "(scope “email”, or an attribute of SAML).",
            status=403,
        )
    try:
        mailbox.canonical(identity.email)
    except mailbox.NotAnAddressError as error:
        raise SignInError(
            "email_malformed",
            f"Your company's sign-in sent an address that is none: it {error}. Ask whoever looks "
            "after people there.",
            status=403,
        ) from None
    found = User.objects.by_address(identity.email)
    if not identity.email_verified:
        raise SignInError(
            "email_unverified",
            f"Your company's sign-in does not say that {identity.email} is verified, so it can't "
            "tell this portal who you are. Verify your address there, and try again.",
            status=403,
            email=found.email if found else "",
        )
    if found is None:
        return None
    person = _locked(found)
    if is_bound(person, identity.provider):
        raise SignInError(
            "bound_to_another",
            f"{person.email} belongs here to another account of your company's sign-in. If yours "
            "was made anew there, ask an operator of this portal to release the old one.",
            status=403,
            title="This address is taken",
            email=person.email,
        )
    return person


def _opens_a_door(groups: Collection[str]) -> bool:
    return not by_groups.mapped(by_groups.open_teams()).isdisjoint(groups)


def _may_come_in(person: User, groups: Collection[str] | None) -> bool:
    """Whether the access file or an admin names them, or a group of theirs means something.

    Without a list of groups, what groups have given before counts.
    """
    open_ones = person.memberships.filter(team__closed_at=None)
    if groups is None:
        return person.is_named or person.is_admin or person.is_auditor or open_ones.exists()
    groups = {*groups, *by_groups.provisioned([person.pk])[person.pk]}
    if person.is_named or any(by_groups.named_rights(person)) or _opens_a_door(groups):
        return True
    return open_ones.exclude(named_role=NamedRole.NOBODY).exists()


def _follow(person: User, identity: Identity, actor: Actor) -> list[int]:
    """Name and address change here as they do there; an address that is somebody's stays theirs.

    Returns mails that are to go out.
    """
    changed = []
    if identity.name and identity.name != person.name:
        person.name = identity.name
        changed.append("name")
    before = person.email
    address = mailbox.folded(identity.email) if identity.email_verified else ""
    is_new = address != mailbox.folded(before) and mailbox.is_address(address)
    if is_new and User.objects.by_address(address) is None:
        person.email = address
        changed.append("email")
    if changed:
        person.save(update_fields=changed)
    if "email" not in changed:
        return []
    mails = notify.tell_of_new_address(person, before=before, actor=actor)
    audit.record(
        Action.ACCESS_CHANGED,
        actor=actor,
        subject=f"~ person {before}: now {person.email}",
        reason=words.BY_PROVIDER,
    )
    return mails


def _not_admitted(identity: Identity, person: User | None = None) -> SignInError:
    seen = sorted(identity.groups or ())
    if identity.groups is None:
        groups = "The provider sent no list of your groups: there are too many."
    elif not seen:
        groups = "The provider named no groups."
    else:
        groups = f"Groups that were seen: {len(seen)}."
    error = SignInError(
        "not_admitted",
        f"You are known to your company's sign-in as {identity.email or identity.subject}, but "
        "neither this portal's access file nor one of the groups that it knows names you. Ask a "
        f"lead of your team, or an admin of this portal, to add you. {groups}",
        status=403,
        title="You have no access here yet",
        email=person.email if person else "",
    )
    error.groups = tuple(one[:200] for one in seen[:MOST_SHOWN])
    if len(seen) > MOST_SHOWN:
        error.groups += (f"and {len(seen) - MOST_SHOWN} more",)
    return error
