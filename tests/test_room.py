"""How many tokens fill a grant's limits: whatever is left unread, the count is that of all rows."""

import random
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import policy
from portal.models import Grant, Membership, ServiceAccount, State, Team, Token, User, Workspace
from portal.models.states import HOLDING_PLACE
from portal.policy import Entitlement
from portal.policy.grants import TeamGrants
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

SCOPES = ("everything", "workspace", "account", "pool")


def by_hand(user: User, choice: Entitlement) -> tuple[int, int]:
    """The same as ``Usage.live``, by looking at each row there is."""
    grants = TeamGrants(Grant.objects.filter(team=choice.team))
    counted = []
    holding = Token.objects.filter(state__in=HOLDING_PLACE)
    for token in holding.filter(team=choice.team):
        # The last of the line counts alone: of a token that overlaps with it, and of one that the
        # same person is about to replace.
        successors = [
            one
            for one in holding.filter(replaces=token, revoke_at=None)
            if not holding.filter(replaces=one).exists()
            and (token.revoke_at is not None or one.owner == token.owner)
        ]
        grant = grants.governing(token.workspace_id, token.service_account_id)
        if not successors and grant and grant.counted_with == choice.counted_with:
            counted.append(token)
    return len(counted), sum(token.owner == user for token in counted)


@pytest.fixture
def catalog_of_six(catalog: Catalog) -> list[ServiceAccount]:
    """Three accounts in each of two workspaces."""
    for workspace in Workspace.objects.all():
        for number in range(workspace.service_accounts.count(), 3):
            ServiceAccount.objects.create(
                workspace=workspace,
                aws_id=f"9{number}",
                name=f"more-{number}",
                grafana_role="ADMIN",
            )
    return list(ServiceAccount.objects.select_related("workspace").order_by("pk"))


def grant(team: Team, scope: str, accounts: list[ServiceAccount], chance: random.Random) -> None:
    limits = {"max_live": chance.choice([None, 5]), "max_live_per_person": 2}
    if scope == "everything":
        Grant.objects.get_or_create(team=team, workspace=None, defaults=limits)
    elif scope == "workspace":
        workspace = chance.choice(accounts).workspace
        Grant.objects.get_or_create(
            team=team, workspace=workspace, service_account=None, defaults=limits
        )
    else:
        for account in chance.sample(accounts, 3 if scope == "pool" else 1):
            Grant.objects.get_or_create(
                team=team,
                workspace=account.workspace,
                service_account=account,
                defaults={**limits, "pool": "1" if scope == "pool" else ""},
            )


@pytest.mark.parametrize("seed", range(12))
def test_a_limit_counts_every_token_under_its_grant_and_no_other(
    seed: int,
    engineer: User,
    teammate: User,
    platform: Team,
    mobile: Team,
    catalog_of_six: list[ServiceAccount],
    make_token: Callable[..., Token],
) -> None:
    chance = random.Random(seed)
    Grant.objects.all().delete()
    for team in (platform, mobile):
        for scope in chance.sample(SCOPES, chance.randint(1, 4)):
            grant(team, scope, catalog_of_six, chance)
    tokens: list[Token] = []
    for _ in range(25):
        fields = {
            "team": chance.choice([platform, mobile]),
            "service_account": chance.choice(catalog_of_six),
            "state": chance.choice([State.ACTIVE, State.QUEUED, State.REVOKING, State.EXPIRED]),
            "revoke_at": chance.choice([None, None, None, timezone.now()]),
            "replaces": chance.choice([None, None, *tokens[-2:]]),
        }
        tokens.append(make_token(chance.choice([engineer, teammate]), **fields))
    Membership.objects.create(user=engineer, team=mobile)
    seen: Counter[str] = Counter()
    for workspace in policy.offer(engineer).workspaces:
        choices = policy.entitlements(engineer, workspace)
        whole = policy.usage(engineer, choices)
        for choice in choices:
            expected = by_hand(engineer, choice)
            assert whole.live(choice) == expected, "as the form says it"
            assert policy.usage(engineer, [choice]).live(choice) == expected, "as a request asks it"
            seen["counted"] += expected[0]
    assert seen["counted"] > 0


def test_a_grants_limits_are_counted_among_the_tokens_under_it_alone(
    engineer: User, platform: Team, catalog: Catalog, make_token: Callable[..., Token]
) -> None:
    """Not by looking at all tokens of the team, nor at all that a person ever had."""
    Grant.objects.filter(team=platform).update(max_live=5)
    Grant.objects.create(
        team=platform, workspace=catalog.workspace, service_account=catalog.deployer, max_live=5
    )
    make_token(engineer)
    for account, index in (
        (catalog.deployer, "token_open_of_team (team_id=? AND service_account_id=?)"),
        (catalog.admin_account, "token_in_quota (workspace_id=?)"),
    ):
        choice = policy.entitlement_for(engineer, platform, account)
        assert choice is not None
        with CaptureQueriesContext(connection) as queries:
            policy.usage(engineer, [choice])
        [counting] = [one["sql"] for one in queries if "replaces_id" in one["sql"]]
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {counting}")
                plan = "\n".join(line[-1] for line in cursor.fetchall())
            assert index in plan, plan
            assert "(replaces_id=?)" in plan, plan
