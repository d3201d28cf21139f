"""Sends one link by which a person sets a password."""

import logging
from datetime import timedelta

from django.db import transaction

from portal import audit, notify
from portal.audit import Actor
from portal.models import Action, PasswordMail, User
from portal.notify import Patience

PATIENCE = Patience(
    first=timedelta(seconds=15), longest=timedelta(minutes=10), in_all=timedelta(days=1)
)

log = logging.getLogger(__name__)


def mail_password(mail_id: int) -> bool:
    """Send this mail, unless another worker does; returns whether the mail server took it.

    The link is made now, and stands nowhere. What the server does not take is tried again for a
    day. Asked for more than once, it goes out once.
    """
    if not PasswordMail.objects.claim(mail_id):
        return False
    row = PasswordMail.objects.select_related("person").get(pk=mail_id)
    person = row.person
    if person is None or not person.is_active:
        row.delete()
        return False
    if row.tries == 1:
        _record(row, person)
    try:
        notify.send(notify.compose_password_link(person))
    except notify.CANNOT_BE_SENT as error:
        is_lost = PATIENCE.put_back(row, error, kind="password_link", to=person.email)
        log.warning(
            "password_mail.given_up" if is_lost else "password_mail.not_sent",
            extra={"error": type(error).__name__, "tries": row.tries},
        )
        return False
    PasswordMail.objects.filter(person=person, pk__lte=row.pk).delete()
    log.info("password_mail.sent", extra={"person": person.pk})
    return True


def _record(row: PasswordMail, person: User) -> None:
    """Who asked is unknown: anybody can, for anybody."""
    actor = Actor(unknown=True, address=row.address or None, user_agent=row.user_agent)
    subject = f"{person.email}: a link to set a password was asked for"
    with transaction.atomic():
        audit.record(Action.PERSON_INVITED, actor=actor, subject=subject)
