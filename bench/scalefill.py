"""Databases that catalog_scale measures: a large catalog, a long history, and little of either.

Runs in any commit's tree from e551cae on: it asks the models for nothing newer.
"""

import os
import random
import sys
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from portal.models import (
    Connection,
    Grant,
    ListedToken,
    Membership,
    Role,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
    Workspace,
)

SIZES: dict[str, dict[str, int]] = {
    "small": {"workspaces": 2, "accounts": 3, "tokens": 900, "live": 120, "listed": 120},
    "catalog": {"workspaces": 500, "accounts": 100, "tokens": 900, "live": 120, "listed": 50_000},
    "history": {"workspaces": 50, "accounts": 10, "tokens": 90_000, "live": 5_000, "listed": 500},
}
PEOPLE = 50
ENGINEERS_SHARE = 9
"""One of so many tokens is the engineer's: 10,000 of the history, 200 pages."""
SPAN = timedelta(days=365)
ENDED = (*[State.REVOKED] * 5, *[State.EXPIRED] * 4, State.FAILED)
OPEN = (*[State.ACTIVE] * 96, State.SEALED, State.REVOKING, State.AWAITING_APPROVAL, State.QUEUED)
ROLES = ("ADMIN", "EDITOR", "VIEWER")
BATCH_SIZE = 2000


def fill(name: str) -> None:
    """Migrate, and write a database of this name in SIZES."""
    size, chance = SIZES[name], random.Random(7)
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    accounts = _catalog(size["workspaces"], size["accounts"])
    team = Team.objects.create(slug="platform", name="Platform")
    Grant.objects.bulk_create(
        Grant(team=team, workspace=one) for one in Workspace.objects.order_by("pk")
    )
    people = _people(team)
    _tokens(team, people, accounts, size, chance)
    _list(accounts, size["listed"])
    with connection.cursor() as cursor:
        # PostgreSQL does that by itself, SQLite never.
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")


def _catalog(workspaces: int, accounts: int) -> list[ServiceAccount]:
    aws = Connection.objects.create(name="main")
    made = Workspace.objects.bulk_create(
        Workspace(
            connection=aws,
            aws_id=f"g-{number:010x}",
            name=f"observability-{number:05}",
            endpoint=f"g-{number:010x}.grafana-workspace.eu-west-1.amazonaws.com",
            status="ACTIVE",
            grafana_version="10.4",
        )
        for number in range(workspaces)
    )
    now = timezone.now()
    return ServiceAccount.objects.bulk_create(
        ServiceAccount(
            workspace=workspace,
            aws_id=str(2 + number),
            name=f"service-account-{number:03}",
            grafana_role=ROLES[number % len(ROLES)],
            listed_at=now,
            list_asked_at=now,
        )
        for workspace in made
        for number in range(accounts)
    )


def _people(team: Team) -> list[User]:
    people = User.objects.bulk_create(
        User(email=f"person{number:02}@example.com", password="!") for number in range(PEOPLE)
    )
    engineer = User.objects.create_user("engineer@example.com")
    lead = User.objects.create_user("lead@example.com")
    User.objects.create_user("admin@example.com", is_admin=True, is_auditor=True)
    Membership.objects.bulk_create(
        [
            # The last five have left the team, and left tokens behind.
            *(Membership(user=one, team=team) for one in (*people[:-5], engineer)),
            Membership(user=lead, team=team, role=Role.LEAD),
        ]
    )
    return [engineer, *people]


def _tokens(
    team: Team,
    people: list[User],
    accounts: list[ServiceAccount],
    size: dict[str, int],
    chance: random.Random,
) -> None:
    now, key, count = timezone.now(), os.urandom(422), size["tokens"]
    live = set(chance.sample(range(count), size["live"]))
    rows: list[Token] = []
    for number in range(count):
        account = chance.choice(accounts)
        at = now - SPAN * ((count - number) / count)
        owner = people[0] if number % ENGINEERS_SHARE == 0 else people[1 + number % PEOPLE]
        told: dict[str, Any] = {
            "state": chance.choice(OPEN if number in live else ENDED),
            **dict.fromkeys(("created_at", "queued_at", "issued_at", "delivered_at"), at),
            "aws_token_id": str(number + 1),
            "fingerprint": f"{number:064x}",
        }
        if number in live:
            told |= _live(told["state"], at, chance)
        else:
            over = min(now, at + timedelta(days=7 * chance.random()))
            told |= dict.fromkeys(("state_at", "expires_at", "deleted_at"), over)
            told |= {"ended_by": owner.email, "end_reason": "no longer needed"}
        rows.append(
            Token(
                owner=owner,
                team=team,
                workspace_id=account.workspace_id,
                service_account=account,
                name=f"ci-{number:06}-{chance.randrange(16**6):06x}",
                seconds_to_live=chance.choice([3600, 86_400, 7 * 86_400, 30 * 86_400]),
                reason="deploys dashboards",
                public_key=key,
                public_key_sha256=f"{number:064x}",
                **told,
            )
        )
        if len(rows) == BATCH_SIZE:
            Token.objects.bulk_create(rows)
            rows.clear()
    Token.objects.bulk_create(rows)
    if any(field.name == "recipient" for field in Token._meta.fields):  # not in e551cae
        Token.objects.exclude(delivered_at=None).update(recipient=F("owner"))


def _live(state: State, at: Any, chance: random.Random) -> dict[str, Any]:
    if state in (State.QUEUED, State.AWAITING_APPROVAL):
        return {
            "state_at": at,
            "queued_at": timezone.now(),
            **dict.fromkeys(("issued_at", "delivered_at"), None),
            "aws_token_id": "",
            "fingerprint": "",
        }
    told = {
        "state_at": at,
        "expires_at": timezone.now() + timedelta(seconds=chance.randrange(86_400, 30 * 86_400)),
        "may_exist_at_aws": True,
        "last_used_at": at if chance.random() < 0.8 else None,
    }
    if state == State.SEALED:
        told |= {"sealed_key": os.urandom(384), "sealed_at": timezone.now(), "delivered_at": None}
    return told


def _list(accounts: list[ServiceAccount], count: int) -> None:
    now = timezone.now()
    ListedToken.objects.bulk_create(
        (
            ListedToken(
                service_account=accounts[number % len(accounts)],
                aws_id=str(number + 1),
                name=f"listed-{number:06}",
                created_at=now,
                expires_at=now + timedelta(days=9),
                drift="" if number % 50 else "foreign",
                found_at=None if number % 50 else now - timedelta(seconds=number),
            )
            for number in range(count)
        ),
        batch_size=BATCH_SIZE,
    )


if __name__ == "__main__":
    fill(sys.argv[1])
