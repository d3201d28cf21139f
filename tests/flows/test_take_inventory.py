"""AMG's own lists are read, and what differs from ours is found once."""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from portal.flows.issue import issue
from portal.flows.take_inventory import take_inventory
from portal.models import (
    Action,
    AuditEvent,
    Drift,
    ListedToken,
    ServiceAccount,
    State,
    Token,
    User,
)
from tests.conftest import Catalog, asked_for
from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import SandboxProcess
from tests.person import KeyPair

LIST = "ListWorkspaceServiceAccountTokens"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting")]


@pytest.fixture
def account(catalog: Catalog) -> ServiceAccount:
    return catalog.deployer


@pytest.fixture
def issued(catalog: Catalog, make_token: Callable[..., Token], engineer: User) -> Token:
    """A token that was issued here two minutes ago and delivered."""
    token = asked_for(make_token(engineer))
    issue(token.pk)
    change(
        token,
        state=State.ACTIVE,
        sealed_key=None,
        sealed_at=timezone.now() - timedelta(minutes=2),
        delivered_at=timezone.now(),
    )
    token.refresh_from_db()
    return token


def change(token: Token, **fields: Any) -> None:
    Token.objects.filter(pk=token.pk).update(**fields)


def elsewhere(aws: SandboxProcess, account: ServiceAccount, name: str) -> str:
    """Somebody makes a token outside the portal; its id."""
    with boto3_client(aws) as aws_client:
        made = aws_client.create_workspace_service_account_token(
            workspaceId=account.workspace.aws_id,
            serviceAccountId=account.aws_id,
            name=name,
            secondsToLive=3600,
        )
    token_id: str = made["serviceAccountToken"]["id"]
    return token_id


def remove(aws: SandboxProcess, account: ServiceAccount, token_id: str) -> None:
    with boto3_client(aws) as aws_client:
        aws_client.delete_workspace_service_account_token(
            workspaceId=account.workspace.aws_id, serviceAccountId=account.aws_id, tokenId=token_id
        )


def findings() -> list[tuple[str, str, str]]:
    """What the audit log says was found."""
    events = AuditEvent.objects.filter(action=Action.TOKEN_DRIFT_FOUND)
    return list(events.values_list("subject", "aws_token_id", "token_name"))


def test_what_was_issued_here_is_listed_and_no_finding(
    account: ServiceAccount, issued: Token
) -> None:
    assert take_inventory(account.pk)
    entry = ListedToken.objects.get()
    assert (entry.aws_id, entry.name, entry.drift) == (issued.aws_token_id, issued.name, "")
    assert entry.expires_at is not None
    account.refresh_from_db()
    assert account.listed_at is not None
    assert findings() == []


def test_a_token_made_elsewhere_is_found_once(aws: SandboxProcess, account: ServiceAccount) -> None:
    token_id = elsewhere(aws, account, "by hand")
    for _ in range(2):
        assert take_inventory(account.pk)
    assert findings() == [("not issued here: by hand", token_id, "")]
    event = AuditEvent.objects.get(action=Action.TOKEN_DRIFT_FOUND)
    assert (event.workspace, event.service_account) == (account.workspace.aws_id, account.aws_id)
    assert event.aws_request_id != ""
    entry = ListedToken.objects.get()
    assert (entry.drift, entry.found_at is not None) == (Drift.FOREIGN, True)
    remove(aws, account, token_id)
    assert take_inventory(account.pk)
    assert not ListedToken.objects.exists()


def test_a_live_token_that_is_gone_is_found_once_until_it_ends_here(
    aws: SandboxProcess, account: ServiceAccount, issued: Token
) -> None:
    take_inventory(account.pk)
    remove(aws, account, issued.aws_token_id)
    for _ in range(2):
        assert take_inventory(account.pk)
    assert findings() == [(f"gone from AMG: {issued.name}", issued.aws_token_id, issued.name)]
    assert ListedToken.objects.get().drift == Drift.VANISHED
    issued.refresh_from_db()
    assert issued.state == State.ACTIVE, "it is shown, and people decide"
    change(issued, state=State.REVOKED)
    take_inventory(account.pk)
    assert not ListedToken.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"state": State.REVOKING},
        {"state": State.EXPIRED},
        {"sealed_at": timezone.now() + timedelta(days=1)},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
    ],
    ids=["being revoked", "expired", "just made", "about to expire"],
)
def test_what_may_be_missing_is_not_missed(
    aws: SandboxProcess, account: ServiceAccount, issued: Token, fields: dict[str, Any]
) -> None:
    change(issued, **fields)
    remove(aws, account, issued.aws_token_id)
    assert take_inventory(account.pk)
    assert (findings(), ListedToken.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"state": State.ISSUING, "lease_until": timezone.now() + timedelta(hours=1)},
        {"state": State.QUEUED, "unresolved_since": timezone.now()},
        {"state": State.FAILED, "orphan_id": "77"},
    ],
    ids=["being made", "of unknown outcome", "being removed"],
)
def test_what_a_request_of_ours_may_have_made_is_nobody_elses(
    aws: SandboxProcess,
    account: ServiceAccount,
    make_token: Callable[..., Token],
    engineer: User,
    fields: dict[str, Any],
) -> None:
    token = asked_for(make_token(engineer, service_account=account, **fields))
    token_id = elsewhere(aws, account, token.name)
    assert take_inventory(account.pk)
    assert findings() == []
    change(token, state=State.FAILED, unresolved_since=None, orphan_id="", lease_until=None)
    assert take_inventory(account.pk)
    assert findings() == [(f"not issued here: {token.name}", token_id, "")]


def test_a_list_that_aws_does_not_give_changes_nothing(
    aws: SandboxProcess, account: ServiceAccount, issued: Token
) -> None:
    take_inventory(account.pk)
    before = ServiceAccount.objects.values().get(pk=account.pk)
    remove(aws, account, issued.aws_token_id)
    aws.fault("error", "before", operation=LIST)
    assert not take_inventory(account.pk)
    assert ServiceAccount.objects.values().get(pk=account.pk) == before
    assert ListedToken.objects.get().drift == ""
    assert findings() == []


def test_with_a_workspace_its_tokens_are_gone(
    aws: SandboxProcess, account: ServiceAccount, issued: Token
) -> None:
    aws.delete_workspace(account.workspace.aws_id)
    assert take_inventory(account.pk)
    assert findings() == [(f"gone from AMG: {issued.name}", issued.aws_token_id, issued.name)]


def used_at(token: Token) -> datetime | None:
    """When its key was last used, as its row says after an inventory."""
    take_inventory(token.service_account_id)
    return Token.objects.get(pk=token.pk).last_used_at


def test_our_rows_learn_when_a_key_was_last_used(
    aws: SandboxProcess,
    catalog: Catalog,
    make_token: Callable[..., Token],
    engineer: User,
    keys: KeyPair,
) -> None:
    token = asked_for(make_token(engineer))
    issue(token.pk)
    token.refresh_from_db()
    assert token.sealed_key is not None
    key = keys.open(base64.b64encode(token.sealed_key).decode(), str(token.pk))
    assert used_at(token) is None
    used = requests.get(
        f"{aws.url}/api/org", headers={"Authorization": f"Bearer {key}"}, timeout=10
    )
    assert used.status_code == 200
    seen = used_at(token)
    assert seen is not None
    later = seen + timedelta(days=1)
    change(token, last_used_at=later)
    assert used_at(token) == later, "what was known once is not forgotten"


@pytest.mark.usefixtures("enqueued")
def test_the_command_takes_the_whole_inventory_at_once(
    aws: SandboxProcess, catalog: Catalog, settings: Settings
) -> None:
    settings.INVENTORY_SECONDS = 900
    elsewhere(aws, catalog.mobile_account, "by hand")
    call_command("sweep")
    assert not ServiceAccount.objects.filter(listed_at=None).exists()
    assert [subject for subject, *_ in findings()] == ["not issued here: by hand"]
