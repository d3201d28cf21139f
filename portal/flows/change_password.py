"""A person sets a new password: every other session of theirs ends with the old one."""

from portal import passwords
from portal.audit import Actor
from portal.life import Effects
from portal.models import User


def change_password(person: User, password: str, *, actor: Actor, session: str | None) -> Effects:
    """Set it. ``session`` is the key of the session that goes on: the one in which it was set."""
    mail = passwords.replace(person, password, actor=actor, session=session)
    return Effects(account_mail=[mail])
