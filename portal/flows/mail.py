"""Sends one mail of the outbox, and says what was sent."""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from portal import audit, notify
from portal.audit import SYSTEM
from portal.models import (
    Action,
    Handover,
    MailTopic,
    Notice,
    NoticeKind,
    State,
    Token,
    UnwantedMail,
)
from portal.models.notices import days_before_end, days_of, expiry_kind
from portal.notify import Patience

PATIENCE = Patience(
    first=timedelta(seconds=30), longest=timedelta(hours=1), in_all=timedelta(days=3)
)
LATE = timedelta(hours=1)
"""Our clock and the database's may differ."""

log = logging.getLogger(__name__)


def mail(notice_id: int) -> bool:
    """Send this mail, unless another worker does; returns whether the mail server took it.

    What the server does not take is tried again, ever more slowly, for three days. A worker that
    dies between the server's yes and the commit leaves a mail that is sent once more: that beats
    one that is never sent.
    """
    if not Notice.objects.claim(notice_id):
        return False
    notice = Notice.objects.select_related(
        "recipient",
        "token__owner",
        "token__team",
        "token__workspace",
        "token__service_account",
        "token__replaces",
    ).get(pk=notice_id)
    if not _is_still_true(notice):
        Notice.objects.filter(pk=notice.pk).update(dropped_at=Now())
        return False
    try:
        notify.send(notify.compose(notice))
    except notify.CANNOT_BE_SENT as error:
        is_lost = PATIENCE.put_back(
            notice, error, kind=notice.kind, to=notice.recipient.email, about=notice.token.name
        )
        log.warning(
            "mail.given_up" if is_lost else "mail.not_sent",
            extra={"kind": notice.kind, "error": type(error).__name__, "tries": notice.tries},
        )
        return False
    with transaction.atomic():
        Notice.objects.filter(pk=notice.pk).update(sent_at=Now())
        if days_before_end(notice.kind) is not None:
            audit.record(
                Action.TOKEN_EXPIRY_NOTIFIED,
                actor=SYSTEM,
                token=notice.token,
                subject=f"{notice.kind}: mailed to {notice.recipient.email}",
            )
    log.info("mail.sent", extra={"kind": notice.kind, "token": str(notice.token_id)})
    return True


def _is_still_true(notice: Notice) -> bool:
    """Whether it is still news: nobody is warned of the end of what has ended, or asked twice."""
    token = notice.token
    if not notice.recipient.is_active:
        return False
    if days_before_end(notice.kind) is not None:
        return (
            token.state == State.ACTIVE
            and is_so_far_away(token, notice.kind)
            and not _is_unwanted(notice)
        )
    if notice.kind == NoticeKind.APPROVED:
        return token.state != State.AWAITING_APPROVAL
    if notice.kind == NoticeKind.ENDS_WITH_NOTICE:
        return token.is_under_notice
    if notice.kind == NoticeKind.APPROVAL_ASKED:
        return token.state == State.AWAITING_APPROVAL
    if notice.kind == NoticeKind.HANDOVER_ASKED:
        return Handover.objects.unanswered().filter(token=token, heir=notice.recipient).exists()
    return True


def _is_unwanted(notice: Notice) -> bool:
    """Whether the recipient wants no such warning; the last one goes to its owner all the same."""
    if notice.recipient_id != notice.token.owner_id:
        return UnwantedMail.is_unwanted(notice.recipient, MailTopic.ENDS_OF_TEAM)
    is_last = notice.kind == expiry_kind(min(days_of(notice.token.team)))
    return not is_last and UnwantedMail.is_unwanted(notice.recipient, MailTopic.ENDS_EARLY)


def is_so_far_away(token: Token, kind: str) -> bool:
    """Whether the token's end is still about as near as this warning says: an overlap may have
    begun since it was written."""
    days = days_before_end(kind)
    if token.ends_at is None or days is None:
        return False
    least = max((one for one in days_of(token.team) if one < days), default=0)
    left = token.ends_at - timezone.now()
    return timedelta(days=least) < left <= timedelta(days=days) + LATE
