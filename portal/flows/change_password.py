"""A person sets a new password: every other session of theirs ends with the old one."""

from django.db import transaction

from portal import audit, sessions
from portal.audit import Actor
from portal.models import Action, User


def change_password(person: User, password: str, *, actor: Actor, session: str | None) -> None:
    """Set it. ``session`` is the key of the session that goes on: the one in which it was set.

    Django ends the others by itself, since their hash is of the old password (docs/THREAT_MODEL.md,
    "The edge"); here their rows go too, and the log says how many there were.
    """
    person.set_password(password)
    keys = [key for key in sessions.of_people([person.pk])[person.pk] if key != session]
    with transaction.atomic():
        person.save(update_fields=["password"])
        ended = sessions.delete(keys)
        audit.record(Action.SIGNIN_FACTOR_CHANGED, actor=actor, subject="password")
        if ended:
            audit.record(
                Action.SESSION_ENDED,
                actor=actor,
                subject=f"{person.email}: another password",
                count=ended,
            )
