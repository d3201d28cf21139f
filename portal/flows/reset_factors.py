"""An admin takes away the second factors of a person who has lost them.

At the next sign-in the person adds another, where they need one. Whoever asks for this may be a
stranger who knows the password: the admin makes sure who it is, and the person gets a mail.
"""

from allauth.mfa.models import Authenticator
from django.db import transaction

from portal import audit, factors, notify, sessions
from portal.audit import Actor
from portal.life import Effects
from portal.models import AccountMailKind, Action, User


def reset_factors(person: User, *, actor: Actor) -> Effects:
    """Take them all away, recovery codes too, and end every session of the person."""
    keys = sessions.of_people([person.pk])[person.pk]
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=person.pk)
        had = factors.names(person)
        if not had:
            return Effects()
        Authenticator.objects.filter(user=person).delete()
        ended = sessions.end(person, keys)
        said = ", ".join(had)
        mail = notify.tell_person(AccountMailKind.FACTOR_RESET, person, what=said, actor=actor)
        subject = f"{person.email}: reset: {said}"
        audit.record(Action.SIGNIN_FACTOR_CHANGED, actor=actor, subject=subject)
        if ended:
            why = f"{person.email}: second factor reset"
            audit.record(Action.SESSION_ENDED, actor=actor, subject=why, count=ended)
    return Effects(account_mail=[mail])
