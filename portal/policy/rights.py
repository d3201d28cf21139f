"""Who may see and do what to a token."""

from collections.abc import Callable
from typing import TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

from portal.models import State, Team, Token, User
from portal.policy.leads import leads

REVOCABLE = (State.SEALED, State.ACTIVE)
CANCELLABLE = (
    State.AWAITING_APPROVAL,
    State.AWAITING_RECIPIENT,
    State.QUEUED,
    State.ISSUING,
)


Subject = TypeVar("Subject")


def require(may: Callable[[User, Subject], bool], user: User | None, subject: Subject) -> User:
    """The person, who may do this. Raises PermissionDenied for anybody else, and for nobody."""
    if user is None or not may(user, subject):
        raise PermissionDenied
    return user


# -- Seeing -------------------------------------------------------------------------------------


def may_see(user: User, token: Token) -> bool:
    """Whether ``user`` may read its record: their own, their teams', all for auditors."""
    return (
        token.owner_id == user.pk
        or user.is_admin
        or user.is_auditor
        or teams_of(user).filter(pk=token.team_id).exists()
    )


def teams_of(user: User) -> QuerySet[Team]:
    """The open teams that ``user`` belongs to."""
    return Team.objects.filter(closed_at=None, memberships__user=user)


# -- Doing --------------------------------------------------------------------------------------


def may_receive(user: User, token: Token) -> bool:
    """Whether ``user`` is the one person who may ever fetch this token's key."""
    return user.is_active and token.owner_id == user.pk


def may_revoke(user: User, token: Token) -> bool:
    """Whether ``user`` may end this token: its owner, a lead of its team, an admin."""
    return user.is_active and (
        token.owner_id == user.pk or user.is_admin or leads(user, token.team_id)
    )


def may_describe(user: User, token: Token) -> bool:
    """Whether ``user`` may say what uses this token: who may end it, while it lives."""
    return token.state == State.ACTIVE and may_revoke(user, token)


def may_change_access(user: User) -> bool:
    """Whether ``user`` may change teams, people, grants and connections by hand: an admin."""
    return user.is_active and user.is_admin
