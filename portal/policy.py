"""Who may see and do what, and the limits that apply. The only place that decides."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from portal.models import Approval, Grant, Role, ServiceAccount, State, Team, Token, User
from portal.models.tokens import TokenQuerySet

REVOCABLE = (State.SEALED, State.ACTIVE)
CANCELLABLE = (
    State.AWAITING_APPROVAL,
    State.AWAITING_RECIPIENT,
    State.QUEUED,
    State.ISSUING,
)
ENDABLE = (*REVOCABLE, *CANCELLABLE)


class NotPermittedError(Exception):
    """The actor may see this token, and may not do this to it."""


class WrongStateError(Exception):
    """The token is no longer (or not yet) in a state in which this can be done."""

    def __init__(self, token: Token) -> None:
        super().__init__(f"the token is {token.get_state_display()}")
        self.token = token


@dataclass(frozen=True, slots=True)
class Limits:
    """What a team may ask for, for one service account. Lifetimes in seconds."""

    max_ttl: int
    default_ttl: int
    reason_required: bool
    needs_approval: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A service account that a person may request a token for, as a member of a team."""

    team: Team
    service_account: ServiceAccount
    limits: Limits


# -- Seeing -------------------------------------------------------------------------------------


def visible_tokens(user: User) -> TokenQuerySet:
    """The tokens whose record ``user`` may read: own ones, their teams', or all for auditors."""
    if user.is_admin or user.is_auditor:
        return Token.objects.all()
    return Token.objects.filter(Q(owner=user) | Q(team__in=teams_of(user)))


def teams_of(user: User) -> QuerySet[Team]:
    """The open teams that ``user`` belongs to."""
    return Team.objects.filter(closed_at=None, memberships__user=user)


def desks_of(user: User) -> QuerySet[Team]:
    """The teams whose tokens ``user`` may read as a list: the own ones, or all.

    So a closed team has its desk too: admins hold it, auditors read it.
    """
    return Team.objects.all() if user.is_admin or user.is_auditor else teams_of(user)


def leads(user: User, team_id: int) -> bool:
    """Whether ``user`` is a lead of the team."""
    return user.memberships.filter(team_id=team_id, team__closed_at=None, role=Role.LEAD).exists()


def desk_of(team: Team) -> list[User]:
    """Who answers for a team: its leads, or the admins where it has none or is closed."""
    leads = User.objects.filter(
        is_active=True,
        memberships__team=team,
        memberships__team__closed_at=None,
        memberships__role=Role.LEAD,
    )
    return list(leads) or list(User.objects.filter(is_active=True, is_admin=True))


# -- Doing --------------------------------------------------------------------------------------


def may_receive(user: User, token: Token) -> bool:
    """Whether ``user`` is the one person who may ever fetch this token's key."""
    return user.is_active and token.owner_id == user.pk


def may_revoke(user: User, token: Token) -> bool:
    """Whether ``user`` may end this token: its owner, a lead of its team, an admin."""
    return user.is_active and (
        token.owner_id == user.pk or user.is_admin or leads(user, token.team_id)
    )


def may_manage(user: User, team: Team) -> bool:
    """Whether ``user`` may end all of the team's tokens: its lead while it is open, an admin."""
    return user.is_active and (user.is_admin or leads(user, team.pk))


def is_revocable(token: Token) -> bool:
    """Whether there is a token to end."""
    return token.state in REVOCABLE


def is_cancellable(token: Token) -> bool:
    """Whether there is a request to withdraw, and nobody has done so."""
    return token.state in CANCELLABLE and not token.cancel_requested


# -- Requesting ---------------------------------------------------------------------------------


def choices(user: User) -> list[Choice]:
    """Every service account that ``user`` may request a token for, once for each team."""
    teams = list(teams_of(user))
    grants = Grant.objects.filter(team__in=teams).select_related("team")
    by_team: dict[int, list[Grant]] = {}
    for grant in grants:
        by_team.setdefault(grant.team_id, []).append(grant)
    found: list[Choice] = []
    if not by_team:
        return found
    for account in ServiceAccount.objects.present().select_related("workspace"):
        for team in teams:
            limits = _limits(by_team.get(team.pk, ()), account)
            if limits is not None:
                found.append(Choice(team, account, limits))
    found.sort(key=lambda c: (c.service_account.workspace.name, c.service_account.name))
    return found


def limits_for(user: User, team: Team, account: ServiceAccount) -> Limits | None:
    """What ``user`` may ask for as a member of ``team``; None when nothing (any more)."""
    if not user.is_active or not teams_of(user).filter(pk=team.pk).exists():
        return None
    grants = Grant.objects.filter(team=team).filter(
        Q(workspace=None)
        | Q(workspace=account.workspace_id, service_account=None)
        | Q(service_account=account)
    )
    return _limits(grants, account)


def _limits(grants: Iterable[Grant], account: ServiceAccount) -> Limits | None:
    """The limits of the most specific grant that covers ``account``.

    The constraints on Grant leave at most one grant of each specificity for a team.
    """
    covering = [
        grant
        for grant in grants
        if grant.workspace_id is None
        or (grant.workspace_id == account.workspace_id and grant.service_account_id is None)
        or grant.service_account_id == account.pk
    ]
    if not covering:
        return None
    grant = max(covering, key=lambda g: (bool(g.service_account_id), bool(g.workspace_id)))
    return Limits(
        max_ttl=grant.max_ttl,
        default_ttl=grant.default_ttl,
        reason_required=grant.reason_required,
        needs_approval=grant.approval == Approval.ALWAYS
        or (grant.approval == Approval.ADMIN_ROLE and account.grafana_role == "ADMIN"),
    )
