"""Mails: who is told what. They are written here, and sent by portal.flows.mail and mail_password.

Call ``tell`` inside the transaction that does what the mail tells of: what did not happen is told
to nobody, and what happened is told even if the mail server is away. No mail ever holds a key.
"""

import re
import smtplib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from email.errors import MessageError
from typing import Any, cast

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.db import transaction
from django.db.models.functions import Now
from django.template.loader import render_to_string

from portal import clock, letters, mailbox
from portal.audit import Actor
from portal.logs import mask
from portal.models import (
    AccountMail,
    AccountMailKind,
    Heartbeat,
    LeadMail,
    LeadMailKind,
    LostMail,
    MailTopic,
    Notice,
    Token,
    User,
)
from portal.models.notices import days_before_end
from portal.models.outbox import OutboxQuerySet, OutgoingMail
from portal.stopping import stop_path

SENT, NOT_SENT = "mail", "mail_trouble"
"""Heartbeats: when the mail server last took a mail, and when it last could not be spoken to."""

CANNOT_BE_SENT = (OSError, ValueError, MessageError)
"""What is raised where a mail does not go out: by the way to the server or the server itself
(smtplib's errors are of the first kind), and for an address or a subject that no mail can have."""


@dataclass(frozen=True, slots=True)
class Patience:
    """When a mail that could not be sent is tried again: after ``first``, then twice as long each
    time, at most ``longest``; and after what time it is given up."""

    first: timedelta
    longest: timedelta
    in_all: timedelta

    def put_back(
        self, mail: OutgoingMail, error: Exception, *, kind: str, to: str, about: str = ""
    ) -> bool:
        """Have it tried again, or give it up and keep that it was lost; returns whether it was.

        By a clock that is off no mail is given up.
        """
        row = cast("OutboxQuerySet[Any]", type(mail)._default_manager.filter(pk=mail.pk))
        pause = min(self.longest, self.first * 2 ** min(mail.tries - 1, 10))
        row.update(not_before=Now() + pause, rung_at=None)
        if clock.is_off():
            return False
        with transaction.atomic():
            is_lost = row.filter(created_at__lt=Now() - self.in_all).give_up() > 0
            if is_lost:
                LostMail.objects.create(
                    kind=kind,
                    recipient=to,
                    about=about,
                    error=type(error).__name__[:80],
                    tries=mail.tries,
                    written_at=mail.created_at,
                )
        return is_lost


def tell(kind: str, *, token: Token, to: Iterable[User], by: str = "", reason: str = "") -> None:
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


def tell_person(
    kind: AccountMailKind, person: User, *, actor: Actor, what: str = "", email: str = ""
) -> int:
    """Have a person mailed what has happened to their account; the number of the mail.

    It goes to the address of now, or to ``email``: of a change of address, to the one before.
    Whoever does that is named in it, with the network address that they came from.
    """
    mail = AccountMail.objects.create(
        person=person,
        email=email or person.email,
        kind=kind,
        what=what[:200],
        by="" if actor.user == person else actor.label,
        address=(actor.address or "") if settings.AUDIT_ADDRESSES else "",
        rung_at=Now(),
    )
    return mail.pk


def tell_of_new_address(person: User, *, before: str, actor: Actor) -> list[int]:
    """Have a person mailed at both addresses that the one ``before`` counts no more; the numbers of
    the mails. Nobody is mailed whose account is closed, or at what is no address."""
    return [
        tell_person(
            AccountMailKind.ADDRESS_CHANGED, person, actor=actor, what=person.email, email=email
        )
        for email in (before, person.email)
        if person.is_active and mailbox.is_address(email)
    ]


def compose_account_mail(mail: AccountMail) -> EmailMessage:
    """The mail: its text's first line is the subject."""
    text = render_to_string(
        f"mail/{mail.kind}.txt", {"mail": mail, "origin": settings.PORTAL_ORIGIN}
    )
    return _message(text, mail.email)


def compose(notice: Notice) -> EmailMessage:
    """The mail: its text's first line is the subject."""
    days = days_before_end(notice.kind)
    text = render_to_string(
        f"mail/{notice.kind if days is None else 'expires'}.txt",
        {
            "days": days,
            "token": notice.token,
            "recipient": notice.recipient,
            "successor": _successor(notice.token),
            "places": notice.token.places.filter(is_due=False),
            "is_owner": notice.recipient_id == notice.token.owner_id,
            "by": notice.by,
            "reason": notice.reason,
            "origin": settings.PORTAL_ORIGIN,
            # By its address and not by its view's name: a worker knows no views.
            "page": f"{settings.PORTAL_ORIGIN}/tokens/{notice.token_id}/",
        },
    )
    return _message(text, notice.recipient.email)


def _successor(token: Token) -> Token | None:
    """What takes its place, while both work."""
    if not token.is_in_overlap:
        return None
    return Token.objects.replacements_of(token).select_related("owner").first()


def compose_lead_mail(mail: LeadMail, content: dict[str, Any]) -> EmailMessage:
    """The mail: its text's first line is the subject."""
    text = render_to_string(
        f"mail/{mail.kind}.txt",
        {"recipient": mail.recipient, "origin": settings.PORTAL_ORIGIN, **content},
    )
    headers = None
    if mail.kind == LeadMailKind.DIGEST:
        # RFC 8058: a mail program's own button, which asks no person to sign in.
        link = f"{settings.PORTAL_ORIGIN}{stop_path(mail.recipient, MailTopic.DIGEST)}"
        headers = {
            "List-Unsubscribe": f"<{link}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    return _message(text, mail.recipient.email, headers)


def compose_password_link(person: User) -> EmailMessage:
    """The mail with a link, made now, by which the person sets a password once."""
    key = f"{user_pk_to_url_str(person)}-{default_token_generator.make_token(person)}"
    text = render_to_string(
        "mail/password_link.txt",
        {
            "origin": settings.PORTAL_ORIGIN,
            "recipient": person,
            "link": f"{settings.PORTAL_ORIGIN}/accounts/password/reset/key/{key}/",
        },
    )
    return _message(text, person.email)


def send(message: EmailMessage) -> None:
    """Send it, and note how it went: ``/readyz`` tells of a mail server that takes nothing.

    Raises what CANNOT_BE_SENT lists. A server that refuses one recipient or one text can be spoken
    to.
    """
    try:
        message.send()
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError):
        Heartbeat.beat(SENT)
        raise
    except OSError:
        Heartbeat.beat(NOT_SENT)
        raise
    Heartbeat.beat(SENT)


def _message(
    text: str, recipient: str, headers: dict[str, str] | None = None
) -> EmailMultiAlternatives:
    """The mail, in text and in HTML of the same words."""
    subject, _, body = mask(text).strip().partition("\n")
    body = re.sub(r"\n{3,}", "\n\n", body.strip()) + "\n"
    message = EmailMultiAlternatives(subject, body, to=[recipient], headers=headers)
    html = letters.as_html(subject, body, links_to=settings.PORTAL_ORIGIN)
    message.attach_alternative(html, "text/html")
    return message
