"""What only the calendar moves: people who never answer, overlaps that are over, ends to come.

Jobs of the sweep, each conditional on the state that it read.
"""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from portal import life, policy
from portal.life import Effects, Work, moves
from portal.models import Notice, State, Team, Token, User
from portal.models.lookups import TRUE_END
from portal.models.notices import days_of, warnings
from portal.models.states import AWAITING_PEOPLE
from portal.webhooks import telling

LONGEST_WAIT_FOR_PEOPLE = timedelta(days=7)

SHORT_OVERLAP = timedelta(hours=1)


def give_up_waiting() -> Effects:
    """Cancel what nobody has approved, or collected, for seven days; a replaced token stays."""

    def give_up(work: Work, token: Token) -> None:
        people = [token.owner.email, token.asked_by]
        if token.state == State.AWAITING_APPROVAL:
            why = "Nobody approved the request within 7 days."
        else:
            why = "Nobody collected the token within 7 days."
            people.append(token.approved_by)
        told = User.objects.filter(email__in=[email for email in people if email])
        work.move(token, moves.CANCEL, reason=why, to=told)

    waited = Q(state_at__lt=Now() - LONGEST_WAIT_FOR_PEOPLE, state__in=AWAITING_PEOPLE)
    return life.work_on_each(Token.objects.all(), waited, give_up)


def end_overlaps() -> Effects:
    """Revoke tokens whose overlap with a successor is over, or of whose end somebody gave notice
    that nobody has answered; a worker then deletes them at AWS."""
    return life.work_on_each(
        Token.objects.all(),
        Q(state=State.ACTIVE, revoke_at__lte=Now()),
        lambda work, token: work.move(token, moves.BEGIN_REVOCATION, reason=_why_over(token)),
    )


def _why_over(token: Token) -> str:
    if token.notice_ends_at is None or token.revoke_at == token.overlap_ends_at:
        return "It was replaced, and the overlap is over."
    why = f": {token.end_reason}" if token.end_reason else "."
    return f"{token.ended_by} had given notice of its end{why}"[:500]


def warn_of_ends() -> Effects:
    """Mail owner and leads before a token ends, once each.

    Not for tokens that never had more time than that, nor in an overlap of less than an hour: who
    has just taken the new key knows.
    """
    effects = Effects()
    for kind, least, most, whose in _schedules():
        warned = Notice.objects.filter(token=OuterRef("pk"), kind=kind)
        is_worth_a_mail = Q(revoke_at=None) | Q(revoke_at__gt=Now() + SHORT_OVERLAP)
        condition = (
            whose
            & is_worth_a_mail
            & Q(
                ~Exists(warned),
                notice_ends_at=None,  # they have been told
                state=State.ACTIVE,
                seconds_to_live__gt=int(most.total_seconds()),
                ends__gt=Now() + least,
                ends__lte=Now() + most,
            )
        )

        def warn(work: Work, token: Token, kind: str = kind) -> None:
            work.tell(kind, token, to=[token.owner, *policy.responsible_for(token.team)])
            telling.tell_of_end(token, kind)

        effects += life.work_on_each(Token.objects.alias(ends=TRUE_END), condition, warn)
    return effects


def _schedules() -> Iterator[tuple[str, timedelta, timedelta, Q]]:
    """Each warning, and of which teams: few have chosen other days than the portal's."""
    own = set(Team.objects.exclude(notice_days="").values_list("notice_days", flat=True).order_by())
    for text in sorted({"", *own}):
        whose = Q(team__notice_days=text) if own else Q()
        for kind, least, most in warnings(days_of(Team(notice_days=text))):
            yield kind, least, most, whose
