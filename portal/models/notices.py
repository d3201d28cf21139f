"""Mails that are to go out: an outbox, written in the transaction of what they tell of."""

import re
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal import notice_days
from portal.models.outbox import KeptMail, KeptMailQuerySet
from portal.models.people import Team, User
from portal.models.tokens import Token


class NoticeKind(models.TextChoices):
    """What a mail tells; each has its text in templates/mail."""

    APPROVAL_ASKED = "approval_asked"
    APPROVED = "approved"
    DENIED = "denied"
    LAPSED = "lapsed"
    REISSUED = "reissued"
    HANDED_OVER = "handed_over"
    HANDOVER_ASKED = "handover_asked"
    HANDOVER_DECLINED = "handover_declined"
    HANDOVER_LAPSED = "handover_lapsed"
    REPLACED = "replaced"
    REVOKED = "revoked"
    UNCLAIMED = "unclaimed"
    APPROVAL_UNDONE = "approval_undone"
    KEY_FOUND = "key_found"
    ENDS_WITH_NOTICE = "ends_with_notice"
    KEPT = "kept"
    ADOPTED = "adopted"
    EXPIRES_IN_7_DAYS = "expires_in_7_days"
    EXPIRES_IN_1_DAY = "expires_in_1_day"


EXPIRY = (NoticeKind.EXPIRES_IN_7_DAYS, NoticeKind.EXPIRES_IN_1_DAY)
"""Of PORTAL_EXPIRY_NOTICE_DAYS as it is by default; others are written alike (``expiry_kind``).
Each goes out once for a token and a person, whatever happens in between."""
_EXPIRY = re.compile(r"expires_in_([0-9]{1,2})_days?")


def expiry_kind(days: int) -> str:
    """The kind of the mail that goes out so many days before an end."""
    return f"expires_in_{days}_day{'' if days == 1 else 's'}"


def days_before_end(kind: str) -> int | None:
    """How many days before an end a mail of this kind goes out; None of other kinds."""
    found = _EXPIRY.fullmatch(kind)
    return int(found[1]) if found else None


def days_of(team: Team) -> tuple[int, ...]:
    """At how many days before an end mails of the team's tokens go out, the most first."""
    try:
        return notice_days.parse(team.notice_days)
    except ValueError:  # empty: as everywhere
        return tuple(settings.EXPIRY_NOTICE_DAYS)


def warnings(days: Iterable[int]) -> list[tuple[str, timedelta, timedelta]]:
    """Which mail goes out while how much time is left: more than the first, at most the second;
    the last one first."""
    ascending = sorted(days)
    return [
        (expiry_kind(most), timedelta(days=least), timedelta(days=most))
        for least, most in zip([0, *ascending], ascending, strict=False)
    ]


class Notice(KeptMail):
    """A mail about a token to one person. ``by`` is who did what it tells of."""

    kind = models.CharField(max_length=20, choices=NoticeKind)
    token = models.ForeignKey(Token, on_delete=models.PROTECT, related_name="notices")
    recipient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="notices")
    by = models.CharField(max_length=254, blank=True)
    reason = models.CharField(max_length=500, blank=True)

    objects = KeptMailQuerySet["Notice"].as_manager()

    class Meta(KeptMail.Meta):
        indexes = [
            models.Index(
                fields=["not_before"],
                name="notice_to_send",
                condition=Q(sent_at=None, dropped_at=None),
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["token", "kind", "recipient"],
                condition=Q(kind__in=EXPIRY),
                name="notice_of_expiry_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.token_id} to {self.recipient_id}"
