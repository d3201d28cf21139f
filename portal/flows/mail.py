"""Sends one mail of the outbox, and says what was sent."""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from portal import audit, notify
from portal.audit import SYSTEM
from portal.models import Action, Handover, Notice, NoticeKind, State, Token
from portal.models.notices import EXPIRY, WARNINGS
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
        _put_back(notice, error)
        return False
    with transaction.atomic():
        Notice.objects.filter(pk=notice.pk).update(sent_at=Now())
        if notice.kind in EXPIRY:
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
    if notice.kind in EXPIRY:
        return token.state == State.ACTIVE and is_so_far_away(token, NoticeKind(notice.kind))
    if notice.kind == NoticeKind.APPROVED:
        return token.state != State.AWAITING_APPROVAL
    if notice.kind == NoticeKind.ENDS_WITH_NOTICE:
        return token.is_under_notice
    if notice.kind == NoticeKind.APPROVAL_ASKED:
        return token.state == State.AWAITING_APPROVAL
    if notice.kind == NoticeKind.HANDOVER_ASKED:
        return Handover.objects.unanswered().filter(token=token, heir=notice.recipient).exists()
    return True


def is_so_far_away(token: Token, kind: NoticeKind) -> bool:
    """Whether the token's end is still about as near as this warning says: an overlap may have
    begun since it was written."""
    if token.ends_at is None:
        return False
    least, most = next((least, most) for one, least, most in WARNINGS if one == kind)
    left = token.ends_at - timezone.now()
    return least < left <= most + LATE


def _put_back(notice: Notice, error: Exception) -> None:
    over = PATIENCE.put_back(Notice.objects.filter(pk=notice.pk), tries=notice.tries)
    log.warning(
        "mail.given_up" if over.update(dropped_at=Now()) else "mail.not_sent",
        extra={"kind": notice.kind, "error": type(error).__name__, "tries": notice.tries},
    )
