"""Who may see and do what to a token."""

from django.db.models import Q, QuerySet

from portal.models import Role, State, Team, Token, User
from portal.models.queries import TokenQuerySet

REVOCABLE = (State.SEALED, State.ACTIVE)
CANCELLABLE = (
    State.AWAITING_APPROVAL,
    State.AWAITING_RECIPIENT,
    State.QUEUED,
    State.ISSUING,
)


class NotPermittedError(Exception):
    """The actor may see this token, and may not do this to it."""


class WrongStateError(Exception):
    """The token is no longer (or not yet) in a state in which this can be done."""

    def __init__(self, token: Token) -> None:
        super().__init__(f"the token is {token.get_state_display()}")
        self.token = token


# -- Seeing -------------------------------------------------------------------------------------


def visible_tokens(user: User) -> TokenQuerySet:
    """The tokens whose record ``user`` may read: own ones, their teams', or all for auditors."""
    if user.is_admin or user.is_auditor:
        return Token.objects.all()
    return Token.objects.filter(Q(owner=user) | Q(team__in=teams_of(user)))


def may_see(user: User, token: Token) -> bool:
    """Whether ``token`` is one of ``visible_tokens(user)``; asks nothing for one's own."""
    return (
        token.owner_id == user.pk
        or user.is_admin
        or user.is_auditor
        or teams_of(user).filter(pk=token.team_id).exists()
    )


def teams_of(user: User) -> QuerySet[Team]:
    """The open teams that ``user`` belongs to."""
    return Team.objects.filter(closed_at=None, memberships__user=user)


def leads(user: User, team_id: int) -> bool:
    """Whether ``user`` is a lead of the team."""
    return user.memberships.filter(team_id=team_id, team__closed_at=None, role=Role.LEAD).exists()


# -- Doing --------------------------------------------------------------------------------------


def may_receive(user: User, token: Token) -> bool:
    """Whether ``user`` is the one person who may ever fetch this token's key."""
    return user.is_active and token.owner_id == user.pk


def may_revoke(user: User, token: Token) -> bool:
    """Whether ``user`` may end this token: its owner, a lead of its team, an admin."""
    return user.is_active and (
        token.owner_id == user.pk or user.is_admin or leads(user, token.team_id)
    )


def may_change_access(user: User) -> bool:
    """Whether ``user`` may change teams, people, grants and connections by hand: an admin."""
    return user.is_active and user.is_admin
