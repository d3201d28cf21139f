"""What stands out about a token, asked of the database: a desk may have thousands."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import models
from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Now
from django.db.models.lookups import LessThan

from portal.models.lookups import IS_ACTIVE, IS_LIVE, OPEN_OF_TEAM, TRUE_END
from portal.models.people import Membership, Team, User
from portal.models.prepared import Prepared
from portal.models.queries import TokenQuerySet, has_left, number_of
from portal.models.states import LIVE, State
from portal.models.tokens import Token

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


def _ends_within(time: timedelta) -> Q:
    return Q(LessThan(TRUE_END, Now() + time))


class Flag(models.TextChoices):
    """Why somebody should look at a token."""

    ENDS_SOON = "ends-soon", "ends soon"
    NEVER_USED = "never-used", "never used"
    OWNER_LEFT = "owner-left", "owner left"
    RECIPIENT_LEFT = "recipient-left", "key known to somebody who left"
    NOT_COLLECTED = "not-collected", "not collected"
    REFUSED = "refused", "not deleted by AWS"

    @property
    def column(self) -> str:
        """The attribute of a flagged row that says whether this stands out about it."""
        return f"is_{self.name.lower()}"

    @property
    def explanation(self) -> str:
        """What the flag means, for people."""
        return _EXPLANATIONS[self]

    @property
    def condition(self) -> Q:
        """The rows that it stands out about; times by the database's clock."""
        match self:
            case Flag.ENDS_SOON:
                # As the mails do: what lives for an hour is no news when it ends within one.
                long = Q(seconds_to_live__gt=WEEK.total_seconds())
                short = Q(seconds_to_live__gt=DAY.total_seconds()) & _ends_within(DAY)
                return IS_LIVE & IS_ACTIVE & _ends_within(WEEK) & (long | short)
            case Flag.NEVER_USED:
                # Grafana reports a use late.
                return IS_ACTIVE & Q(last_used_at=None, delivered_at__lt=Now() - DAY)
            case Flag.OWNER_LEFT:
                return has_left("owner")
            case Flag.RECIPIENT_LEFT:
                return has_left("recipient") & ~Q(recipient=F("owner"))
            case Flag.NOT_COLLECTED:
                return Q(state__in=(State.SEALED, State.AWAITING_RECIPIENT))
            case Flag.REFUSED:
                return Q(state=State.REVOKING) & ~Q(error_code="")


_EXPLANATIONS = {
    Flag.ENDS_SOON: "Ends within 7 days; within 1 day if it was made for a week or less.",
    Flag.NEVER_USED: "Delivered more than a day ago, and AWS has reported no use.",
    Flag.OWNER_LEFT: "Its owner is no longer in this team, or may no longer sign in.",
    Flag.RECIPIENT_LEFT: "It has another owner now, but whoever took its key has left: renew it.",
    Flag.NOT_COLLECTED: "Nobody has taken its key yet.",
    Flag.REFUSED: "It was revoked, and AWS has not deleted it: its key may still work.",
}


def flagged(tokens: TokenQuerySet) -> TokenQuerySet:
    """The rows, each saying of every flag whether it stands out (``Flag.column``)."""
    return tokens.annotate(
        **{
            flag.column: Case(
                When(flag.condition, then=Value(True)),
                default=Value(False),
                output_field=BooleanField(),
            )
            for flag in Flag
        }
    )


def flags_of(token: Token) -> list[Flag]:
    """What stands out about a row of ``flagged``."""
    return [flag for flag in Flag if getattr(token, flag.column)]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a team has open: how many tokens, how many of these each flag stands out about, and the
    people who left the team, with those that they own or have seen the key of, by state."""

    open: int
    flags: dict[Flag, int]
    left: list[tuple[User, Counter[str]]]

    def left_behind(self, states: Iterable[State]) -> list[tuple[User, int]]:
        """The people who left something in one of these states, and how much."""
        counts = [(person, sum(of[state] for state in states)) for person, of in self.left]
        return [(person, count) for person, count in counts if count]


def count_open(team: Team) -> Counted:
    """Count what a team has open: each number from an index of its own, whatever has ended."""
    [counts] = _counts(team.pk)
    left = {person.pk: (person, Counter[str]()) for person in _left(team.pk)}
    flags: dict[Flag, int] = dict(zip(_COUNTED, counts[1:], strict=True))
    for flag, person, others in _LEFT:
        theirs = Token.objects.filter(OPEN_OF_TEAM, others, team=team, **{f"{person}__in": left})
        by_state = theirs.order_by().values_list(person, "state").annotate(number=Count("*"))
        flags[flag] = 0
        for pk, state, number in by_state if left else ():
            left[pk][1][state] += number
            flags[flag] += number
    return Counted(counts[0], {flag: flags[flag] for flag in Flag}, list(left.values()))


_LEFT = [
    (Flag.OWNER_LEFT, "owner", Q()),
    (Flag.RECIPIENT_LEFT, "recipient", ~Q(recipient=F("owner"))),
]
"""Each flag for people who left, the column they stand in, and which rows count."""
_COUNTED: list[Flag] = [flag for flag in Flag if flag not in [one[0] for one in _LEFT]]


def _count(team_id: int) -> "QuerySet[Team, tuple[int, ...]]":
    here = Token.objects.filter(team=OuterRef("pk"))
    numbers = {flag.column: number_of(here.filter(flag.condition), by="team") for flag in _COUNTED}
    counted = Team.objects.filter(pk=team_id).annotate(
        open=number_of(here.filter(OPEN_OF_TEAM), by="team"), **numbers
    )
    return counted.values_list("open", *numbers)


def _who_left(team_id: int) -> "QuerySet[User]":
    """Owners and recipients of what is open who have left the team, or may not sign in."""
    tokens = Token.objects.filter(OPEN_OF_TEAM, team=team_id).order_by()
    stays = Membership.objects.filter(user=OuterRef("pk"), team=team_id, user__is_active=True)
    have_some = Q(pk__in=tokens.values("owner").distinct()) | Q(
        pk__in=tokens.filter(recipient__isnull=False).values("recipient").distinct()
    )
    return User.objects.filter(have_some).exclude(Exists(stays)).order_by("email")


_counts = Prepared(_count, like=[-1])
_left = Prepared(_who_left, like=[-1])


def live_first(tokens: TokenQuerySet) -> TokenQuerySet:
    """What exists at AWS before what only waits to, and what ends first before the rest."""
    exists = Case(When(state__in=LIVE, then=Value(0)), default=Value(1))
    return tokens.order_by(exists, TRUE_END.asc(nulls_last=True), "pk")
