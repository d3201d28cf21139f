"""Who may give a token to another owner, and who may get it."""

from django.db.models import Q, QuerySet

from portal.models import State, Team, Token, User
from portal.models.prepared import Prepared
from portal.policy.desk import may_manage

MOST_HEIRS = 100
"""People to choose from on a page; of more, its script asks for those that fit what is typed."""

HANDABLE = (State.ACTIVE,)
"""States in which the key is where it is used, and only the owner has to change."""


def may_hand_over(user: User, token: Token) -> bool:
    """Whether ``user`` may give it to another owner: its owner, a lead of its team, an admin."""
    return user.is_active and (token.owner_id == user.pk or may_manage(user, token.team))


def heirs_of(token: Token) -> list[User]:
    """Who may become the token's owner: the other people of its team, while the team is open."""
    return _heirs(token.team_id, token.owner_id)


def first_heirs_of(token: Token) -> list[User]:
    """The first of them by address, at most one more than MOST_HEIRS: for a page."""
    return _first_heirs(token.team_id, token.owner_id)


def heirs_like(token: Token, text: str) -> list[User]:
    """Those whose address or name holds a text, at most one more than MOST_HEIRS."""
    like = Q(email__icontains=text) | Q(name__icontains=text)
    return list(_heirs_of(token.team_id, token.owner_id).filter(like)[: MOST_HEIRS + 1])


def _heirs_of(team_id: int, owner_id: int) -> QuerySet[User]:
    team = Team.objects.filter(pk=team_id, closed_at=None)
    return (
        User.objects.filter(is_active=True, memberships__team__in=team)
        .exclude(pk=owner_id)
        .order_by("email")
    )


_heirs = Prepared(_heirs_of, like=[-1, -2])
_first_heirs = Prepared(
    lambda team_id, owner_id: _heirs_of(team_id, owner_id)[: MOST_HEIRS + 1], like=[-1, -2]
)
