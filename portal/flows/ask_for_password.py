"""Somebody asks for a link by which they set a password."""

from django.db.models.functions import Now

from portal.life import Effects
from portal.models import PasswordMail, User


def ask_for_password(person: User | None) -> Effects:
    """Write the mail into its outbox.

    Without a person nothing will be sent, but as much is done: the page must not take less time.
    """
    mail = PasswordMail.objects.create(person=person, rung_at=Now())
    return Effects(password_mail=[mail.pk])
