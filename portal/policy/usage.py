"""How many tokens there may be at once: the limits of a grant, and AMG's quota of a workspace."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal.models import Grant, ListedToken, State, Token, User, Workspace
from portal.models.lookups import HOLDS_NAME, IS_OPEN, OPEN_OF_TEAM
from portal.models.prepared import Prepared
from portal.models.queries import TokenQuerySet, number_of
from portal.policy.grants import Entitlement, TeamGrants


def counted(workspaces: QuerySet[Workspace]) -> QuerySet[Any, Any]:
    """Each with how many tokens of ours fill its quota (``used``), and of these how many are
    expired; see ``count_foreign``."""
    here = Token.objects.filter(workspace=OuterRef("pk"))
    return workspaces.annotate(
        used=number_of(here.counting_at_aws(), by="workspace"),
        expired=number_of(here.filter(state=State.EXPIRED, may_exist_at_aws=True), by="workspace"),
    )


def _with_foreign(workspace_id: int) -> Any:
    others = ListedToken.objects.filter(service_account__workspace=OuterRef("pk")).count_foreign()
    foreign = Coalesce(Subquery(others.values("number")), 0, output_field=IntegerField())
    row = counted(Workspace.objects.filter(pk=workspace_id)).annotate(foreign=foreign)
    return row.values_list("used", "expired", "foreign")


_quota = Prepared(_with_foreign, like=[-1])
_foreign = Prepared(
    lambda: ListedToken.objects.count_foreign().values_list("service_account__workspace", "number"),
    like=[],
)


def count_foreign() -> dict[int, int]:
    """How many tokens of each workspace nobody here issued: they fill its quota, too."""
    return dict(_foreign())


@dataclass(frozen=True, slots=True)
class LimitReached:
    """Why there can't be one more token; ``field`` names the input that the message belongs to."""

    field: str
    message: str


@dataclass(slots=True)
class Usage:
    """How many tokens there are where some entitlements would add one."""

    by_grant: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Live and requested tokens under a grant: the team's, and of these the person's own.

    By ``Grant.counted_with``: some grants share their limits.
    """
    by_workspace: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Tokens that count against AMG's quota, and of these the expired ones."""

    def live(self, entitlement: Entitlement) -> tuple[int, int]:
        """The team's tokens under the choice's grant, and of these the person's own."""
        return self.by_grant.get(entitlement.counted_with, (0, 0))

    def used(self, workspace_id: int) -> tuple[int, int]:
        """The tokens that fill a workspace's quota, and of these the expired ones."""
        return self.by_workspace.get(workspace_id, (0, 0))

    def limit_reached(self, entitlement: Entitlement) -> LimitReached | None:
        """What stands against one more token; None when there is room."""
        return self.grant_limit_reached(entitlement) or self.full(
            entitlement.service_account.workspace_id
        )

    def grant_limit_reached(self, entitlement: Entitlement) -> LimitReached | None:
        """What the grant's limits say against one more token; None when there is room."""
        limits, team = entitlement.limits, entitlement.team.name
        of_team, own = self.live(entitlement)
        if limits.max_live_per_person is not None and own >= limits.max_live_per_person:
            return LimitReached(
                "service_account",
                f"You have {_tokens(own)} under this grant of team {team}, and it allows "
                f"{limits.max_live_per_person} for each person. Revoke one first.",
            )
        if limits.max_live is not None and of_team >= limits.max_live:
            return LimitReached(
                "service_account",
                f"Team {team} has {_tokens(of_team)} under this grant, and it allows "
                f"{limits.max_live}. One of them has to end first.",
            )
        return None

    def full(self, workspace_id: int) -> LimitReached | None:
        """What AMG's quota of a workspace says against one more token; None when there is room."""
        used, expired = self.used(workspace_id)
        if used < settings.TOKEN_QUOTA:
            return None
        way_out = (
            f"{expired} of them {'has' if expired == 1 else 'have'} expired and "
            f"{'is' if expired == 1 else 'are'} being cleaned up: try again in a few minutes."
            if expired
            else "There is room once the owner of one, a lead of its team or an admin ends it."
        )
        full = f"This workspace is full: {used} of {settings.TOKEN_QUOTA} tokens are used."
        return LimitReached("workspace", f"{full} {way_out}")


def usage(
    user: User,
    entitlements: Iterable[Entitlement],
    *,
    exempt: Token | None = None,
    known: Usage | None = None,
) -> Usage:
    """Count what fills the limits of ``entitlements``, in a query for them and one a workspace.

    ``exempt`` is a token that is about to be replaced: a grant's limits do not count it. AMG does.
    ``known`` says how full workspaces are: those are not counted again.
    """
    entitlements = list(entitlements)
    found = known or Usage()
    _count_live(found, user, [one for one in entitlements if one.limits.counts_live], exempt)
    workspaces = {one.service_account.workspace_id for one in entitlements}
    _count_quota(found, workspaces - set(found.by_workspace))
    return found


def limit_reached(
    user: User, entitlement: Entitlement, *, exempt: Token | None = None
) -> LimitReached | None:
    """What stands against one more token of ``user``; None when there is room."""
    return usage(user, [entitlement], exempt=exempt).limit_reached(entitlement)


def _count_live(found: Usage, user: User, limited: list[Entitlement], exempt: Token | None) -> None:
    if not limited:
        return
    tokens, grants = _counted_under(limited, Token.objects.holding_place(exempt=exempt))
    groups = (
        tokens.order_by()
        .values_list("team", "workspace", "service_account")
        .annotate(count=Count("pk"), own=Count("pk", filter=Q(owner=user)))
    )
    for team_id, workspace_id, account_id, count, own in groups:
        grant = grants[team_id].governing(workspace_id, account_id)
        if grant is not None:
            before = found.by_grant.get(grant.counted_with, (0, 0))
            found.by_grant[grant.counted_with] = (before[0] + count, before[1] + own)


def _counted_under(
    limited: list[Entitlement], tokens: TokenQuerySet
) -> tuple[TokenQuerySet, dict[int, TeamGrants]]:
    """Those of the tokens that the grants may count, and the grants that tell, by team.

    One account's grant counts that account's, or those of the accounts that share its limits; a
    workspace's counts that workspace's; only one for everything needs all of the team's.
    """
    teams = {entitlement.team.pk for entitlement in limited}
    governing = [entitlement.grant for entitlement in limited]
    pools = {grant.pool for grant in governing} - {""}
    workspaces = {grant.workspace_id for grant in governing}
    if all(grant.service_account_id is not None for grant in governing):
        if pools:
            governing += Grant.objects.filter(team__in=teams, pool__in=pools)
        accounts = {grant.service_account_id for grant in governing}
        rows = tokens.filter(IS_OPEN, team__in=teams, service_account__in=accounts)
        return rows, _by_team(governing)
    if not pools and len(workspaces) == 1 and None not in workspaces:
        # An index has the workspace's few, another the team's many: the planner can't tell.
        rows = tokens.alias(whose=F("team") + 0).filter(whose__in=teams)
        rows = rows.filter(HOLDS_NAME, workspace=governing[0].workspace_id)
        return rows, {entitlement.team.pk: entitlement.grants for entitlement in limited}
    rows = tokens.filter(OPEN_OF_TEAM, team__in=teams)
    return rows, _by_team(Grant.objects.filter(team__in=teams))


def _by_team(grants: Iterable[Grant]) -> dict[int, TeamGrants]:
    found: dict[int, list[Grant]] = {}
    for grant in grants:
        found.setdefault(grant.team_id, []).append(grant)
    return {team_id: TeamGrants(rows) for team_id, rows in found.items()}


def _count_quota(found: Usage, workspaces: set[int]) -> None:
    for workspace in workspaces:
        for used, expired, foreign in _quota(workspace):
            found.by_workspace[workspace] = (used + foreign, expired)


def _tokens(count: int) -> str:
    return f"{count} live or requested token{'' if count == 1 else 's'}"
