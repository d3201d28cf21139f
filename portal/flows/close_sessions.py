"""Ends sessions because somebody says so: a person their own, an admin another person's."""

from django.db import transaction

from portal import audit, sessions
from portal.audit import Actor
from portal.models import Action, User, UserSession


def close_session(person: User, pk: int, *, actor: Actor) -> int:
    """End one session of the person's own. Returns how many ended: none if it was over already."""
    rows = UserSession.objects.filter(person=person, pk=pk)
    with transaction.atomic():
        ended = sessions.delete(list(rows.values_list("session_key", flat=True)))
        _record(person, "one was ended", ended, actor)
    return ended


def close_other_sessions(person: User, *, actor: Actor, session: str | None) -> int:
    """End all of the person's own but ``session``, the key of the one that goes on."""
    keys = [key for key in sessions.of_people([person.pk])[person.pk] if key != session]
    with transaction.atomic():
        ended = sessions.delete(keys)
        _record(person, "all others were ended", ended, actor)
    return ended


def close_all_sessions(person: User, *, actor: Actor) -> int:
    """End every session of a person, for good; returns how many there were."""
    keys = sessions.of_people([person.pk])[person.pk]
    with transaction.atomic():
        ended = sessions.end(person, keys)
        _record(person, "all were ended", ended, actor)
    return ended


def _record(person: User, how: str, ended: int, actor: Actor) -> None:
    if ended:
        subject = f"{person.email}: {how}"
        audit.record(Action.SESSION_ENDED, actor=actor, subject=subject, count=ended)
