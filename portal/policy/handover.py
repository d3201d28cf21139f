"""Who may give a token to another owner, and who may get it."""

from django.db.models import QuerySet

from portal.models import State, Team, Token, User
from portal.models.prepared import Prepared
from portal.policy.desk import may_manage

HANDABLE = (State.ACTIVE,)
"""States in which the key is where it is used, and only the owner has to change."""


def may_hand_over(user: User, token: Token) -> bool:
    """Whether ``user`` may give it to another owner: its owner, a lead of its team, an admin."""
    return user.is_active and (token.owner_id == user.pk or may_manage(user, token.team))


def heirs_of(token: Token) -> list[User]:
    """Who may become the token's owner: the other people of its team, while the team is open."""
    return _heirs(token.team_id, token.owner_id)


def _heirs_of(team_id: int, owner_id: int) -> QuerySet[User]:
    team = Team.objects.filter(pk=team_id, closed_at=None)
    return (
        User.objects.filter(is_active=True, memberships__team__in=team)
        .exclude(pk=owner_id)
        .order_by("email")
    )


_heirs = Prepared(_heirs_of, like=[-1, -2])
