"""Somebody asks for a link by which they set a password."""

from django.conf import settings
from django.db.models.functions import Now

from portal.life import Effects
from portal.models import PasswordMail, User


def ask_for_password(person: User | None, *, address: str | None, user_agent: str) -> Effects:
    """Write the mail into its outbox.

    Without a person nothing will be sent, but as much is done: the page must not take less time. So
    it is for the worker to write the event (portal.flows.mail_password).
    """
    kept = settings.AUDIT_ADDRESSES
    mail = PasswordMail.objects.create(
        person=person,
        rung_at=Now(),
        address=(address or "") if kept else "",
        user_agent=user_agent.replace("\0", "")[:300] if kept else "",
    )
    return Effects(password_mail=[mail.pk])
