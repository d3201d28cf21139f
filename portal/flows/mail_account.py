"""Sends one mail that tells a person what has happened to their account."""

import logging
from datetime import timedelta

from django.db import transaction

from portal import notify
from portal.models import AccountMail, LostMail
from portal.notify import Patience

PATIENCE = Patience(
    first=timedelta(seconds=15), longest=timedelta(hours=1), in_all=timedelta(days=3)
)

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
    over = PATIENCE.put_back(AccountMail.objects.filter(pk=row.pk), tries=row.tries)
    with transaction.atomic():
        is_lost = bool(over.delete()[0])
        if is_lost:
            LostMail.note(row, error, to=row.email)
    log.warning(
        "account_mail.given_up" if is_lost else "account_mail.not_sent",
        extra={"kind": row.kind, "error": type(error).__name__, "tries": row.tries},
    )
