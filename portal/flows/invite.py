"""An operator lets a person in without a mail server: by a link that sets their password once.

The link is signed, and says which password it replaces: it is over when that one is, or after a
day. Nothing of it is stored.
"""

import hmac
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.db import models, transaction
from django.utils.crypto import salted_hmac

from portal import audit, passwords
from portal.audit import Actor
from portal.life import Effects
from portal.models import Action, User
from portal.secret_keys import secret_keys

GOOD_FOR = timedelta(days=1)
_SALT = "portal.flows.invite"


class InvitationError(Exception):
    """Why there is no invitation, in a line."""


def invite(email: str, *, actor: Actor) -> str:
    """The secret of an invitation for a person, good once and for a day. Raises InvitationError."""
    if not settings.PASSWORD_SIGN_IN:
        raise InvitationError(
            "Nobody signs in by password here (PORTAL_PASSWORD_SIGN_IN is off): people come in by "
            "single sign-on."
        )
    user = User.objects.by_address(email.strip())
    if user is None:
        raise InvitationError(
            f"{email} is nobody's address here: apply an access file that names this person first."
        )
    if not user.is_active:
        raise InvitationError(f"{user.email} may not sign in: the account is closed.")
    with transaction.atomic():
        audit.record(Action.PERSON_INVITED, actor=actor, subject=user.email)
    return signing.dumps([user.pk, _password_before(user, settings.SECRET_KEY)], salt=_SALT)


def invited(secret: str) -> User | None:
    """Whom an invitation is for; None when it is no longer good, or never was."""
    return _holder(secret, User.objects.all()) if settings.PASSWORD_SIGN_IN else None


def accept(secret: str, password: str, *, address: str | None, user_agent: str) -> Effects | None:
    """Set the password of whom an invitation is for; None when somebody has used it meanwhile.

    Who can open the link is the person: by ``address`` and ``user_agent`` the log tells from where.
    """
    if not settings.PASSWORD_SIGN_IN:
        return None
    with transaction.atomic():
        user = _holder(secret, User.objects.select_for_update(no_key=True))
        if user is None:
            return None
        actor = Actor(user=user, address=address, user_agent=user_agent)
        mail = passwords.replace(user, password, actor=actor, session=None)
    return Effects(account_mail=[mail])


def _holder(secret: str, users: "models.QuerySet[User]") -> User | None:
    try:
        pk, before = signing.loads(secret, salt=_SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        return None
    user = users.filter(pk=pk, is_active=True).first()
    if user is None:
        return None
    good = (_password_before(user, key) for key in secret_keys())
    return user if any(hmac.compare_digest(before, one) for one in good) else None


def _password_before(user: User, key: str) -> str:
    """Changes with the password, and tells nothing of it."""
    # Django's default will be another one (2028): links of the version before shall stay good.
    return salted_hmac(_SALT, user.password, secret=key, algorithm="sha1").hexdigest()[:32]
