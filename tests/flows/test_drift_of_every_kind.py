"""Each kind of drift from AWS's side to its end: somebody changes something behind the portal's
back, two readings find it, the page names it with what hangs on it, and an admin acts on it there.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.audit import SYSTEM
from portal.embedded.product import collect_static_files
from portal.flows.confirm_grants import confirm_grants
from portal.flows.end_listed import delete_listed
from portal.flows.issue import issue
from portal.flows.revoke import delete_at_aws
from portal.flows.sync_catalog import sync_catalog
from portal.flows.take_inventory import take_inventory
from portal.gateway import Gateway
from portal.models import (
    Action,
    AuditEvent,
    Grant,
    ListedToken,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
)
from tests.conftest import Catalog, acting, asked_for
from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import SandboxProcess
from tests.reading import words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting", "enqueued")]


@pytest.fixture(scope="module", autouse=True)
def _static_files() -> None:
    collect_static_files()


@pytest.fixture(autouse=True)
def _quick_settings(settings: Settings) -> None:
    settings.WHITENOISE_AUTOREFRESH = True


@dataclass(frozen=True, slots=True)
class Stage:
    """The sandbox, an admin before the inventory, and a live token that was issued here."""

    aws: SandboxProcess
    account: ServiceAccount
    admin: Client
    token: Token

    def read(self) -> "Counter[str]":
        """Read the catalog, and the account's list; what the audit log has for it."""
        last = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first()
        sync_catalog(self.account.workspace.connection, actor=SYSTEM)
        take_inventory(self.account.pk)
        return Counter(AuditEvent.objects.filter(seq__gt=last).values_list("action", flat=True))

    def finds(self, said: str, *, in_table: str) -> "Counter[str]":
        """The page says it from the first reading on, and the second one adds nothing to the log;
        what the first one added."""
        first = self.read()
        assert said in self.page(in_table)
        assert self.read() == Counter(), "it is counted once"
        assert said in self.page(in_table)
        return first

    def page(self, table: str) -> str:
        html = words(self.admin.get("/inventory/").content.decode())
        return html.partition(f'data-testid="{table}-table"')[2].partition("</table>")[0]

    def post(self, path: str, **fields: str) -> None:
        assert self.admin.post(path, fields).status_code == 302

    def revoke(self) -> None:
        """End the token by its own page, where the inventory's row leads."""
        self.post(f"/tokens/{self.token.pk}/revoke/", reason="cleaned up")
        delete_at_aws(self.token.pk)
        assert Token.objects.get(pk=self.token.pk).state == State.REVOKED

    def make(self, *, seconds: int) -> None:
        """Somebody makes a token by hand."""
        Gateway(self.account.workspace.connection).create_token(
            self.account.workspace.aws_id,
            self.account.aws_id,
            name="by hand",
            seconds_to_live=seconds,
        )


@pytest.fixture
def stage(
    aws: SandboxProcess,
    catalog: Catalog,
    make_token: Callable[..., Token],
    engineer: User,
    admin: User,
    sign_in: Callable[[User], Client],
) -> Stage:
    token = asked_for(make_token(engineer, name="ours"))
    issue(token.pk)
    Token.objects.filter(pk=token.pk).update(
        state=State.ACTIVE,
        sealed_key=None,
        sealed_at=timezone.now() - timedelta(minutes=2),
        delivered_at=Now(),
    )
    token.refresh_from_db()
    found = Stage(aws, catalog.deployer, sign_in(admin), token)
    found.read()
    assert found.page("drift") == found.page("changed") == ""
    return found


FOUND = {Action.TOKEN_DRIFT_FOUND.value: 1}


def test_a_token_that_nobody_here_issued(stage: Stage) -> None:
    stage.make(seconds=3600)
    assert stage.finds("not issued here", in_table="drift") == FOUND
    entry = ListedToken.objects.get(name="by hand")
    stage.post(
        f"/inventory/{entry.pk}/adopt/",
        team="platform",
        owner="engineer@example.com",
        reason="deploys",
    )
    assert Token.objects.get(name="by hand").state == State.ACTIVE
    assert stage.read() == Counter()
    assert stage.page("drift") == ""


def test_one_that_has_expired_and_is_in_the_way(stage: Stage) -> None:
    stage.make(seconds=1)
    stage.read()
    entry = ListedToken.objects.get(name="by hand")
    assert entry.expires_at is not None
    while timezone.now() <= entry.expires_at:
        time.sleep(0.05)
    assert stage.finds("expired and in the way", in_table="drift") == Counter()
    assert AuditEvent.objects.filter(action=Action.TOKEN_DRIFT_FOUND).count() == 1
    stage.post(f"/inventory/{entry.pk}/revoke/", reason="left over")
    delete_listed(entry.pk)
    assert stage.read() == Counter()
    assert stage.page("drift") == ""
    assert {one["name"] for one in stage.aws.live_tokens()} >= {"ours"}


def test_one_of_ours_that_somebody_deleted(stage: Stage) -> None:
    with boto3_client(stage.aws) as aws_client:
        aws_client.delete_workspace_service_account_token(
            workspaceId=stage.account.workspace.aws_id,
            serviceAccountId=stage.account.aws_id,
            tokenId=stage.token.aws_token_id,
        )
    assert stage.finds("gone from AMG", in_table="drift") == FOUND
    entry = ListedToken.objects.get(name="ours")
    stage.post(f"/inventory/{entry.pk}/revoke/", reason="deleted by hand")
    delete_at_aws(stage.token.pk)
    assert Token.objects.get(pk=stage.token.pk).state == State.REVOKED
    assert stage.read() == Counter()
    assert stage.page("drift") == ""


def test_a_service_account_that_was_deleted_with_its_tokens(stage: Stage) -> None:
    with boto3_client(stage.aws) as aws_client:
        aws_client.delete_workspace_service_account(
            workspaceId=stage.account.workspace.aws_id, serviceAccountId=stage.account.aws_id
        )
    first = stage.finds("no longer exists in Grafana", in_table="changed")
    assert first[Action.TOKEN_DRIFT_FOUND] == 1
    assert "ours" in stage.page("changed")
    assert "gone from AMG" in stage.page("drift")
    stage.revoke()
    stage.read()
    assert stage.page("drift") == stage.page("changed") == ""


def test_a_service_account_that_was_disabled(stage: Stage) -> None:
    stage.aws.change_service_account(
        stage.account.workspace.aws_id, stage.account.aws_id, is_disabled=True
    )
    first = stage.finds("disabled in Grafana", in_table="changed")
    assert first[Action.TOKEN_DRIFT_FOUND] == 0
    assert "ours" in stage.page("changed")
    stage.revoke()
    assert stage.page("changed") == ""


def test_a_service_account_that_was_raised(stage: Stage, platform: Team, admin: User) -> None:
    grant = Grant.objects.create(
        team=platform, workspace=stage.account.workspace, service_account=stage.account
    )
    stage.aws.change_service_account(
        stage.account.workspace.aws_id, stage.account.aws_id, role="ADMIN"
    )
    first = stage.finds("to ADMIN", in_table="changed")
    assert first[Action.ACCESS_CHANGED] == 1
    assert "ours" in stage.page("changed")
    assert confirm_grants([grant.pk], actor=acting(admin)) == 1
    assert stage.page("changed") == ""
    stage.read()
    assert stage.page("changed") == ""


def test_a_workspace_that_is_gone_with_everything_in_it(stage: Stage) -> None:
    stage.aws.delete_workspace(stage.account.workspace.aws_id)
    first = stage.finds("no longer exists", in_table="changed")
    assert first[Action.TOKEN_DRIFT_FOUND] == 1
    assert "ours" in stage.page("changed")
    assert "gone from AMG" in stage.page("drift")
    stage.revoke()
    stage.read()
    assert stage.page("drift") == stage.page("changed") == ""


def test_a_workspace_that_runs_a_grafana_below_9(stage: Stage) -> None:
    stage.aws.put_workspace(stage.account.workspace.aws_id, grafana_version="8.4")
    first = stage.finds("runs Grafana 8.4", in_table="changed")
    assert first[Action.TOKEN_DRIFT_FOUND] == 0
    assert "ours" in stage.page("changed")
    stage.aws.put_workspace(stage.account.workspace.aws_id, grafana_version="10.4")
    stage.read()
    assert stage.page("changed") == "", "somebody has upgraded it"
