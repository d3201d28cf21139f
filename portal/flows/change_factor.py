"""A person adds or removes a second factor of theirs, or has new recovery codes made.

Each change is an event, is told to the person by mail, and ends every other session of theirs. It
is for the page that calls to have the person confirm first who they are.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction

from portal import audit, factors, notify, policy, sessions
from portal.audit import Actor
from portal.life import Effects
from portal.models import AccountMailKind, Action, User

Codes = tuple[list[str], dict[str, object]]
"""Recovery codes, and what is kept of them."""


class StillNeededError(Exception):
    """Why a factor can't be removed now, for people."""


@dataclass(slots=True)
class Changed:
    """What is left to do, and the recovery codes that were made: nobody can read them again."""

    effects: Effects = field(default_factory=Effects)
    codes: list[str] = field(default_factory=list)


def add_app(person: User, seed: str, counter: int, *, actor: Actor, session: str | None) -> Changed:
    """Ask for this seed's codes from now on; in place of the app that there was, if any.

    ``counter`` is the period of the code that has proved it: that code is used up. ``session`` is
    the key of the session that goes on.
    """

    def add() -> str:
        rows = Authenticator.objects.filter(user=person, type=factors.APP)
        replaced, _ = rows.delete()
        data = {"secret": factors.lock_seed(seed), "counter": counter}
        Authenticator.objects.create(user=person, type=factors.APP, data=data)
        return "authenticator app replaced" if replaced else "authenticator app added"

    return _change(person, add, actor=actor, session=session)


def add_passkey(
    person: User, name: str, credential: dict[str, Any], *, actor: Actor, session: str | None
) -> Changed:
    """Take this passkey from now on."""

    def add() -> str:
        data = {"name": name, "credential": credential}
        Authenticator.objects.create(user=person, type=factors.PASSKEY, data=data)
        return f"passkey added: {name}"

    return _change(person, add, actor=actor, session=session)


def remove_factor(person: User, pk: int, *, actor: Actor, session: str | None) -> Changed:
    """Ask for it no more. Raises StillNeededError, or Authenticator.DoesNotExist."""

    def remove() -> str:
        row = Authenticator.objects.get(user=person, pk=pk)
        if reason := why_needed(person, row):
            raise StillNeededError(reason)
        said = f"{factors.name_of(row)} removed"
        row.delete()
        if not factors.has_second_factor(person):
            Authenticator.objects.filter(user=person).delete()  # codes stand in for a factor alone
        return said

    return _change(person, remove, actor=actor, session=session)


def renew_codes(person: User, *, actor: Actor, session: str | None) -> Changed:
    """Make ten new recovery codes in place of those that there were."""

    def renew() -> str:
        Authenticator.objects.filter(user=person, type=factors.CODES).delete()
        return "new recovery codes made"

    return _change(person, renew, actor=actor, session=session, codes=_made())


def why_needed(person: User, row: Authenticator) -> str:
    """Why the person can't do without this factor, for people; empty if they can."""
    others = Authenticator.objects.filter(user=person, type__in=(factors.APP, factors.PASSKEY))
    if others.exclude(pk=row.pk).exists():
        return ""
    if policy.needs_second_factor(person):
        return (
            "Here you need a second factor, and this is your only one. Add another before you "
            "remove it."
        )
    if person.has_short_password:
        return (
            "Your password is shorter than people without a second factor may have it. Change it "
            "to one of 15 characters or more first, or add another factor."
        )
    return ""


def _change(
    person: User,
    do: Callable[[], str],
    *,
    actor: Actor,
    session: str | None,
    codes: Codes | None = None,
) -> Changed:
    """Do it, with all that belongs to it, in one transaction."""
    changed = Changed()
    if codes is None and not _has_codes(person):
        codes = _made()
    others = [key for key in sessions.of_people([person.pk])[person.pk] if key != session]
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=person.pk)  # one change at a time
        said = do()
        if factors.has_second_factor(person) and not _has_codes(person):
            changed.codes, kept = codes or _made()
            Authenticator.objects.create(user=person, type=factors.CODES, data=kept)
        ended = sessions.end(person, others)
        mail = notify.tell_person(AccountMailKind.FACTOR_CHANGED, person, what=said, actor=actor)
        changed.effects.account_mail.append(mail)
        audit.record(Action.SIGNIN_FACTOR_CHANGED, actor=actor, subject=said)
        if ended:
            subject = f"{person.email}: another second factor"
            audit.record(Action.SESSION_ENDED, actor=actor, subject=subject, count=ended)
    return changed


def _has_codes(person: User) -> bool:
    return bool(Authenticator.objects.filter(user=person, type=factors.CODES).exists())


def _made() -> Codes:
    """New recovery codes. Their hashes take half a second: made before anything is locked."""
    codes = factors.new_codes()
    return codes, factors.hashed(codes)
