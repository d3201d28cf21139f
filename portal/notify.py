"""Mails about tokens: who is told what. They are written here, and sent by portal.flows.mail.

Call ``tell`` inside the transaction that does what the mail tells of: what did not happen is told
to nobody, and what happened is told even if the mail server is away. No mail ever holds a key.
"""

from collections.abc import Iterable

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string

from portal.logs import mask
from portal.models import Notice, NoticeKind, Token, User


def tell(
    kind: NoticeKind, *, token: Token, to: Iterable[User], by: str = "", reason: str = ""
) -> None:
    """Have each of these people mailed once the transaction is committed.

    ``by`` is the label of who did it. A mail of a kind that goes out once is not written twice.
    Raises TransactionManagementError outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("tell() belongs inside the transaction")
    Notice.objects.bulk_create(
        [
            # People type reasons, and may paste the key that leaked.
            Notice(kind=kind, token=token, recipient=person, by=by, reason=mask(reason)[:500])
            for person in {person.pk: person for person in to if person.is_active}.values()
        ],
        ignore_conflicts=True,
    )


def compose(notice: Notice) -> EmailMessage:
    """The mail: its text's first line is the subject."""
    text = render_to_string(
        f"mail/{notice.kind}.txt",
        {
            "token": notice.token,
            "recipient": notice.recipient,
            "is_owner": notice.recipient_id == notice.token.owner_id,
            "by": notice.by,
            "reason": notice.reason,
            "origin": settings.PORTAL_ORIGIN,
            # By its address and not by its view's name: a worker knows no views.
            "page": f"{settings.PORTAL_ORIGIN}/tokens/{notice.token_id}/",
        },
    )
    subject, _, body = mask(text).strip().partition("\n")
    return EmailMessage(subject, body.strip() + "\n", to=[notice.recipient.email])
