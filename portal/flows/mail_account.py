"""Sends one mail that tells a person what has happened to their account."""

import logging
from datetime import timedelta

from portal import notify
from portal.models import AccountMail
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
        is_lost = PATIENCE.put_back(row, error, kind=row.kind, to=row.email)
        log.warning(
            "account_mail.given_up" if is_lost else "account_mail.not_sent",
            extra={"kind": row.kind, "error": type(error).__name__, "tries": row.tries},
        )
        return False
    row.delete()
    log.info("account_mail.sent", extra={"kind": row.kind, "person": row.person_id})
    return True
