"""What a team may request, and within which limits."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from portal.models import Approval, Grant, ServiceAccount, Team, User, Workspace
from portal.models.prepared import Prepared
from portal.text import shown


def _grants_of(user_id: int) -> QuerySet[Grant]:
    """The grants of the open teams that a person belongs to."""
    return (
        Grant.objects.filter(Q(team__closed_at=None), Q(team__memberships__user=user_id))
        .select_related("team")
        .order_by("team__slug")
    )


_grants = Prepared(
    lambda user_id, workspace_id: _grants_of(user_id).filter(
        Q(workspace=workspace_id) | Q(workspace=None)
    ),
    like=[-1, -2],
)
"""Those that may cover accounts of a workspace: a team may have hundreds for others."""

_accounts = Prepared(
    lambda workspace_id: (
        ServiceAccount.objects.present().filter(workspace=workspace_id).order_by("name", "aws_id")
    ),
    like=[-1],
)
_account = Prepared(
    lambda workspace, account: (
        ServiceAccount.objects.present()
        .select_related("workspace")
        .filter(workspace__aws_id=workspace, aws_id=account)
    ),
    like=["a workspace", "an account"],
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a team may ask for, for one service account. Lifetimes in seconds.

    ``max_live`` and ``max_live_per_person`` count the live tokens under the same grant; None is no
    limit. ``self_approval`` says whether a lead may approve their own request, ``max_overlap`` how
    many seconds a token may work on beside the one that takes its place.
    """

    max_ttl: int
    default_ttl: int
    reason_required: bool
    needs_approval: bool
    self_approval: bool
    max_live: int | None
    max_live_per_person: int | None
    max_overlap: int

    @property
    def counts_live(self) -> bool:
        return self.max_live is not None or self.max_live_per_person is not None


class TeamGrants:
    """Grants of one team, all or those of a workspace, and which of them governs an account.

    The most specific one counts: account before workspace before everything. The constraints on
    Grant leave at most one of each, so there are no ties within a team.
    """

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._by_scope = {(grant.workspace_id, grant.service_account_id): grant for grant in grants}

    def governing(self, workspace_id: int, account_id: int) -> Grant | None:
        """The grant that governs an account; it may be suspended."""
        scopes: tuple[tuple[int | None, int | None], ...] = (
            (workspace_id, account_id),
            (workspace_id, None),
            (None, None),
        )
        return next((self._by_scope[one] for one in scopes if one in self._by_scope), None)

    def limits(self, account: ServiceAccount) -> Limits | None:
        """What the team may ask for; None for nothing.

        A suspended grant grants nothing, and none that is less specific steps into its place.
        """
        grant = self.governing(account.workspace_id, account.pk)
        if grant is None or grant.suspended_at is not None:
            return None
        return Limits(
            max_ttl=grant.max_ttl,
            default_ttl=grant.default_ttl,
            reason_required=grant.reason_required,
            needs_approval=grant.approval == Approval.ALWAYS
            or (grant.approval == Approval.ADMIN_ROLE and account.grafana_role == "ADMIN"),
            self_approval=grant.self_approval,
            max_live=grant.max_live,
            max_live_per_person=grant.max_live_per_person,
            max_overlap=grant.max_overlap,
        )


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A service account that a person may request a token for, as a member of a team."""

    team: Team
    service_account: ServiceAccount
    limits: Limits
    grants: TeamGrants = field(compare=False, repr=False)
    """Those that may cover accounts of this workspace."""

    @property
    def grant(self) -> Grant:
        """Where the limits come from. Raises LookupError where there is none, which is never."""
        account = self.service_account
        grant = self.grants.governing(account.workspace_id, account.pk)
        if grant is None:
            raise LookupError("a entitlement has a grant")
        return grant

    @property
    def counted_with(self) -> str:
        """What live tokens under the grant that the limits come from are counted under."""
        return self.grant.counted_with


def entitlements(user: User, workspace: Workspace) -> list[Entitlement]:
    """Every account of a workspace that ``user`` may request a token for, once for each team."""
    teams = _teams(user, workspace.pk)
    if not teams:
        return []
    found = []
    for account in _accounts(workspace.pk):
        account.workspace = workspace
        found += _entitlements(teams, account)
    return found


def entitlements_for(user: User, workspace: str, account: str) -> list[Entitlement]:
    """The same for one account, by AWS's ids: what is sent is checked without looking at others."""
    found = _account.one(workspace, account)
    return [] if found is None else _entitlements(_teams(user, found.workspace_id), found)


def _teams(user: User, workspace_id: int) -> list[tuple[Team, TeamGrants]]:
    """The teams of ``user`` with grants that may cover accounts of a workspace, by their slugs."""
    by_team: dict[Team, list[Grant]] = {}
    for grant in _grants(user.pk, workspace_id):
        by_team.setdefault(grant.team, []).append(grant)
    return [(team, TeamGrants(grants)) for team, grants in by_team.items()]


def _entitlements(
    teams: Iterable[tuple[Team, TeamGrants]], account: ServiceAccount
) -> list[Entitlement]:
    return [
        Entitlement(team, account, limits, grants)
        for team, grants in teams
        if (limits := grants.limits(account)) is not None
    ]


def entitlement_for(user: User, team: Team, account: ServiceAccount) -> Entitlement | None:
    """What ``user`` may ask for as a member of ``team``; None when nothing (any more)."""
    if not user.is_active:
        return None
    rows = _grants(user.pk, account.workspace_id)
    grants = TeamGrants(grant for grant in rows if grant.team_id == team.pk)
    limits = grants.limits(account)
    return Entitlement(team, account, limits, grants) if limits is not None else None


def has_grant_in(user: User, workspace: Workspace) -> bool:
    """Whether a team of ``user`` has a grant for accounts of a workspace, known or not."""
    return bool(_grants(user.pk, workspace.pk))


def limits_for(user: User, team: Team, account: ServiceAccount) -> Limits | None:
    """The limits of ``entitlement_for``; None when ``user`` may ask for nothing (any more)."""
    entitlement = entitlement_for(user, team, account)
    return entitlement.limits if entitlement else None


def suspension(user: User, workspace: str, account: str) -> str:
    """Why ``user``'s grant for an account (by AWS's ids) is suspended; empty where none is."""
    suspended = _grants_of(user.pk).exclude(suspended_at=None)
    grant = suspended.filter(
        service_account__aws_id=account, service_account__workspace__aws_id=workspace
    ).first()
    if grant is None:
        return ""
    return (
        f"The grant of team {grant.team.name} for this service account is suspended until an "
        f"admin confirms it. {shown(grant.suspended_reason)}"
    )
