"""Somebody asks for a link by which they set a password."""

from django.db.models.functions import Now

from portal.models import PasswordMail, User


def ask_for_password(person: User | None) -> int:
    """Write the mail into its outbox; returns its id, for the caller to ring for.

    Without a person nothing will be sent, but as much is done: the page must not take less time.
    """
    return PasswordMail.objects.create(person=person, rung_at=Now()).pk
