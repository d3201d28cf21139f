"""Sends one mail that tells a person what has happened to their account."""

import logging
from datetime import timedelta

from django.db.models.functions import Now

from portal import clock, notify
from portal.models import AccountMail

FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=3)

log = logging.getLogger(__name__)


def mail_account(mail_id: int) -> bool:
    """Send this mail, unless another worker does; returns whether the mail server took it.

    What the server does not take is tried again, ever more slowly, for three days.
    """
    if not AccountMail.objects.claim(mail_id):
        return False
    row = AccountMail.objects.get(pk=mail_id)
    try:
        notify.send(notify.compose_account_mail(row))
    except notify.CANNOT_BE_SENT as error:
        _put_back(row, error)
        return False
    row.delete()
    log.info("account_mail.sent", extra={"kind": row.kind, "person": row.person_id})
    return True


def _put_back(row: AccountMail, error: Exception) -> None:
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(row.tries - 1, 10))
    rows = AccountMail.objects.filter(pk=row.pk)
    rows.update(not_before=Now() + pause, rung_at=None)
    old = rows.filter(created_at__lt=Now() - GIVE_UP_AFTER)
    is_over = not clock.is_off() and old.delete()[0]
    log.warning(
        "account_mail.given_up" if is_over else "account_mail.not_sent",
        extra={"kind": row.kind, "error": type(error).__name__, "tries": row.tries},
    )
