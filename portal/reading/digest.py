"""What a lead's week begins with: what ends, what is unused, what waits, who left, by team."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from portal.models import State, Team, Token, User
from portal.models.flags import DAY, WEEK, count_open
from portal.models.lookups import IS_ACTIVE, IS_LIVE, OPEN_OF_TEAM, TRUE_END
from portal.models.queries import TokenQuerySet

MOST_NAMED = 10
"""Tokens of each kind; of more, their number."""
UNUSED_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Named:
    """The first of some tokens, and how many there are."""

    tokens: list[Token]
    count: int

    @classmethod
    def of(cls, rows: TokenQuerySet) -> "Named":
        found = list(rows.for_pages()[:MOST_NAMED])
        return cls(found, len(found) if len(found) < MOST_NAMED else rows.count())

    @property
    def more(self) -> int:
        return self.count - len(self.tokens)


@dataclass(frozen=True, slots=True)
class TeamDigest:
    """One team's."""

    team: Team
    ends: Named
    unused: Named
    waits: Named
    left: list[tuple[User, int]]

    @property
    def says_something(self) -> bool:
        return bool(self.ends.count or self.unused.count or self.waits.count or self.left)


def digest(teams: Iterable[Team], *, endable: Iterable[State]) -> list[TeamDigest]:
    """Of the teams of which there is something to say; ``endable`` are states of what can end."""
    endable = list(endable)
    found = [_of_team(team, endable) for team in teams]
    return [one for one in found if one.says_something]


def _of_team(team: Team, endable: list[State]) -> TeamDigest:
    here = Token.objects.filter(OPEN_OF_TEAM, team=team)
    live = here.filter(IS_LIVE).filter(IS_ACTIVE)
    ending = live.alias(ends=TRUE_END).filter(ends__gt=Now(), ends__lte=Now() + WEEK)
    never = Q(last_used_at=None, delivered_at__lt=Now() - DAY)
    unused = live.filter(never | Q(last_used_at__lt=Now() - UNUSED_FOR))
    waiting = here.filter(state__in=(State.AWAITING_APPROVAL, State.AWAITING_RECIPIENT))
    return TeamDigest(
        team,
        Named.of(ending.order_by("ends", "pk")),
        Named.of(unused.order_by("delivered_at", "pk")),
        Named.of(waiting.order_by("created_at", "pk")),
        count_open(team).left_behind(endable),
    )
