"""What AMG has changed under tokens and grants: accounts and workspaces that are gone, disabled or
too old, and grants that were suspended for it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from portal.models import Grant, ServiceAccount, Team, Token
from portal.models.catalog import LOST
from portal.models.lookups import HOLDS_NAME, IS_LIVE
from portal.models.queries import TokenQuerySet

MOST_ACCOUNTS = 100
MOST_TOKENS = 500

_CAN_NOT_BE_USED = (
    Q(gone_at__isnull=False)
    | Q(is_disabled=True)
    | Q(workspace__gone_at__isnull=False)
    | Q(workspace__status__in=LOST)
    | Q(workspace__grafana_version__regex=r"^[0-8]([.]|$)")
)


@dataclass(frozen=True, slots=True)
class Changed:
    """An account of which no token can be made or used, and what of ours hangs on it."""

    account: ServiceAccount
    tokens: list[Token]

    @property
    def why(self) -> str:
        return self.account.obstacle


def changed_accounts(accounts: QuerySet[ServiceAccount], teams: QuerySet[Team]) -> list[Changed]:
    """Those with live tokens of these teams, at most MOST_ACCOUNTS."""
    hanging = _hanging(teams).filter(workspace=OuterRef("workspace"))
    rows = accounts.filter(_CAN_NOT_BE_USED).filter(
        Exists(hanging.alias(whose=F("service_account") + 0).filter(whose=OuterRef("pk")))
    )
    found = list(rows.select_related("workspace").order_by("workspace", "name")[:MOST_ACCOUNTS])
    tokens = _tokens_of(found, teams)
    return [Changed(one, tokens.get(one.pk, [])) for one in found]


def suspended_grants(
    teams: QuerySet[Team], *, workspace: str = ""
) -> "list[tuple[Grant, list[Token]]]":
    """Grants whose account was renamed, raised or became another, each with the team's tokens."""
    rows = Grant.objects.filter(team__in=teams, suspended_at__isnull=False)
    if workspace:
        rows = rows.filter(workspace__aws_id=workspace)
    rows = rows.select_related("team", "workspace", "service_account__workspace")
    found = list(rows.order_by("-suspended_at", "pk")[:MOST_ACCOUNTS])
    accounts = [one.service_account for one in found if one.service_account is not None]
    tokens = _tokens_of(accounts, teams)
    return [
        (
            one,
            [
                token
                for token in tokens.get(one.service_account_id or 0, [])
                if token.team_id == one.team_id
            ],
        )
        for one in found
    ]


def _hanging(teams: QuerySet[Team]) -> TokenQuerySet:
    return Token.objects.filter(HOLDS_NAME & IS_LIVE).filter(team__in=teams)


def _tokens_of(accounts: Iterable[ServiceAccount], teams: QuerySet[Team]) -> dict[int, list[Token]]:
    accounts = list(accounts)
    if not accounts:
        return {}
    rows = _hanging(teams).filter(workspace__in={one.workspace_id for one in accounts})
    rows = rows.alias(whose=F("service_account") + 0).filter(whose__in=[one.pk for one in accounts])
    found: dict[int, list[Token]] = {}
    for token in rows.for_pages().order_by("name")[:MOST_TOKENS]:
        found.setdefault(token.service_account_id, []).append(token)
    return found
