"""What only the calendar moves: people who never answer, overlaps that are over, ends to come.

Jobs of the sweep, each conditional on the state that it read.
"""

import uuid
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from portal import audit, notify, policy
from portal.audit import SYSTEM
from portal.models import Action, Notice, NoticeKind, State, Token, User
from portal.models.states import AWAITING_PEOPLE

LONGEST_WAIT_FOR_PEOPLE = timedelta(days=7)

WARNINGS = (
    (NoticeKind.EXPIRES_IN_1_DAY, timedelta(0), timedelta(days=1)),
    (NoticeKind.EXPIRES_IN_7_DAYS, timedelta(days=1), timedelta(days=7)),
)
"""Which mail goes out while how much time is left: more than the first, at most the second."""


def give_up_waiting() -> list[uuid.UUID]:
    """Cancel what nobody has approved, or collected, for seven days; a replaced token stays."""

    def give_up(token: Token) -> None:
        people = [token.owner.email, token.asked_by]
        if token.state == State.AWAITING_APPROVAL:
            why = "Nobody approved the request within 7 days."
        else:
            why = "Nobody collected the token within 7 days."
            people.append(token.approved_by)
        token.move_to(State.CANCELLED, ended_by=SYSTEM.label, end_reason=why)
        told = User.objects.filter(email__in=[email for email in people if email])
        notify.tell(NoticeKind.LAPSED, token=token, to=told, reason=why)
        audit.record(Action.TOKEN_CANCELLED, actor=SYSTEM, token=token, reason=why)

    waited = Q(state_at__lt=Now() - LONGEST_WAIT_FOR_PEOPLE)
    return Token.objects.change_each(Q(waited, state__in=AWAITING_PEOPLE), give_up)


def end_overlaps() -> list[uuid.UUID]:
    """Revoke replaced tokens when their overlap is over; a worker then deletes them at AWS."""

    def end(token: Token) -> None:
        why = "It was replaced, and the overlap is over."
        token.move_to(
            State.REVOKING, not_before=None, rung_at=None, ended_by=SYSTEM.label, end_reason=why
        )
        notify.tell(NoticeKind.REVOKED, token=token, to=[token.owner], by="The portal", reason=why)
        audit.record(Action.TOKEN_REVOKE_REQUESTED, actor=SYSTEM, token=token, reason=why)

    return Token.objects.change_each(Q(state=State.ACTIVE, revoke_at__lte=Now()), end)


def warn_of_ends() -> None:
    """Mail owner and leads before a token ends, once each.

    Not for tokens that never had more time than that, nor for those that are being replaced.
    """
    for kind, least, most in WARNINGS:
        warned = Notice.objects.filter(token=OuterRef("pk"), kind=kind)
        condition = Q(
            ~Exists(warned),
            state=State.ACTIVE,
            revoke_at=None,
            seconds_to_live__gt=int(most.total_seconds()),
            expires_at__gt=Now() + least,
            expires_at__lte=Now() + most,
        )

        def warn(token: Token, kind: NoticeKind = kind) -> None:
            notify.tell(kind, token=token, to=[token.owner, *policy.desk_of(token.team)])

        Token.objects.change_each(condition, warn)
