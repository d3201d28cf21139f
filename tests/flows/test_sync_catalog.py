"""What AMG changes about a service account suspends the grants that were given for it by name."""

from typing import Any

import pytest

from portal import policy
from portal.access import AccessFile, GrantEntry, TeamEntry
from portal.audit import SYSTEM
from portal.flows.apply_access import Plan, apply_access
from portal.flows.sync_catalog import Synced, sync_catalog
from portal.models import Action, AuditEvent, Connection, Grant, ServiceAccount, Team, User
from tests.conftest import Catalog
from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db


@pytest.fixture
def grant(catalog: Catalog, platform: Team) -> Grant:
    """A grant for one account by its name, beside the one for its whole workspace."""
    account = catalog.deployer
    ServiceAccount.objects.filter(pk=account.pk).update(grafana_role="EDITOR")
    return Grant.objects.create(team=platform, workspace=catalog.workspace, service_account=account)


def sync() -> Synced:
    return sync_catalog(Connection.objects.get(), actor=SYSTEM)


def change(aws: SandboxProcess, account: ServiceAccount, **members: Any) -> None:
    aws.change_service_account(account.workspace.aws_id, account.aws_id, **members)
    sync()


def is_suspended(grant: Grant) -> bool:
    grant.refresh_from_db()
    return grant.suspended_at is not None


def test_a_renamed_account_suspends_its_grant(
    aws: SandboxProcess, catalog: Catalog, grant: Grant, engineer: User, platform: Team
) -> None:
    was = catalog.deployer.name
    change(aws, catalog.deployer, name="root")
    assert is_suspended(grant)
    assert grant.suspended_reason == f"The service account was renamed from {was} to root."
    assert policy.limits_for(engineer, platform, catalog.deployer) is None, "nor the workspace's"
    assert policy.limits_for(engineer, platform, catalog.admin_account) is not None
    event = AuditEvent.objects.get(action=Action.ACCESS_CHANGED)
    assert event.subject == (f"~ grant of platform for {catalog.workspace.name} / root: suspended")
    assert (event.team, event.reason) == ("platform", grant.suspended_reason)


def test_a_raised_role_suspends_its_grant_and_a_lowered_one_does_not(
    aws: SandboxProcess, catalog: Catalog, grant: Grant
) -> None:
    change(aws, catalog.deployer, role="VIEWER")
    assert not is_suspended(grant)
    change(aws, catalog.deployer, role="ADMIN")
    assert is_suspended(grant)
    assert "was raised from VIEWER to ADMIN" in grant.suspended_reason


def test_a_name_that_another_account_has_taken_suspends_the_grant(
    aws: SandboxProcess, catalog: Catalog, grant: Grant
) -> None:
    account = catalog.deployer
    place = {"workspaceId": account.workspace.aws_id}
    with boto3_client(aws) as amg:
        amg.delete_workspace_service_account(**place, serviceAccountId=account.aws_id)
        sync()
        assert not is_suspended(grant), "nobody can ask for what is gone"
        new = {"name": account.name, "grafanaRole": "VIEWER"}
        made = amg.create_workspace_service_account(**place, **new)
    sync()
    assert is_suspended(grant)
    assert grant.suspended_reason.endswith(f"another service account now, id {made['id']}.")


def test_what_does_not_matter_suspends_nothing(
    aws: SandboxProcess, catalog: Catalog, grant: Grant
) -> None:
    change(aws, catalog.deployer, is_disabled=True)
    aws.put_workspace(catalog.workspace.aws_id, name="renamed")
    change(aws, catalog.admin_account, name="another")
    assert not is_suspended(grant)
    assert not AuditEvent.objects.filter(action=Action.ACCESS_CHANGED).exists()


def test_a_grant_is_suspended_once(aws: SandboxProcess, catalog: Catalog, grant: Grant) -> None:
    change(aws, catalog.deployer, name="root")
    assert is_suspended(grant)
    first = grant.suspended_at
    change(aws, catalog.deployer, name="toor")
    assert is_suspended(grant)
    assert grant.suspended_at == first
    assert AuditEvent.objects.filter(action=Action.ACCESS_CHANGED).count() == 1


def file_of(grant: Grant, account: str, member: User) -> AccessFile:
    """A file in which team platform has this grant, for the account by this name or id."""
    assert grant.workspace is not None
    entry = GrantEntry(
        workspace=grant.workspace.aws_id,
        service_accounts=(account,),
        max_ttl=grant.max_ttl,
        default_ttl=grant.default_ttl,
        approval="never",
        reason_required=False,
        self_approval=False,
        max_live=None,
        max_live_per_person=None,
    )
    team = TeamEntry("platform", leads=(), members=(member.email,), grants=(entry,))
    return AccessFile(connections=(), people=(), teams=(team,))


def test_applying_the_file_confirms_the_grants_that_it_names(
    aws: SandboxProcess, catalog: Catalog, grant: Grant, engineer: User, platform: Team
) -> None:
    file = file_of(grant, catalog.deployer.aws_id, engineer)

    def apply(*, confirm: bool) -> Plan:
        return apply_access(file, actor=SYSTEM, confirm=confirm, leave_no_admin=True)

    change(aws, catalog.deployer, name="root")
    apply(confirm=False)
    assert is_suspended(grant), "a start of the portal confirms nothing"
    plan = apply(confirm=True)
    assert plan.lines == [f"~ grant of platform for {catalog.workspace.name} / root: confirmed"]
    assert not is_suspended(grant)
    assert policy.limits_for(engineer, platform, catalog.deployer) is not None


@pytest.mark.parametrize("how", ["renamed", "deleted"])
def test_a_start_gives_nothing_to_another_account_that_has_taken_the_name(
    aws: SandboxProcess, catalog: Catalog, grant: Grant, engineer: User, platform: Team, how: str
) -> None:
    """The file says a name; what was reviewed is the account that had it then."""
    reviewed = catalog.deployer
    file = file_of(grant, reviewed.name, engineer)
    apply_access(file, actor=SYSTEM, leave_no_admin=True)
    assert policy.limits_for(engineer, platform, reviewed) is not None
    if how == "renamed":
        change(aws, reviewed, name="old")
    else:
        with boto3_client(aws) as amg:
            amg.delete_workspace_service_account(
                workspaceId=catalog.workspace.aws_id, serviceAccountId=reviewed.aws_id
            )
    change(aws, catalog.admin_account, name=reviewed.name)
    plan = apply_access(file, actor=SYSTEM, confirm=False, leave_no_admin=True)
    assert plan.lines[-1].endswith(", suspended")
    assert policy.limits_for(engineer, platform, catalog.admin_account) is None
    assert "another service account" in Grant.objects.get(team=platform).suspended_reason
    apply_access(file, actor=SYSTEM, confirm=False, leave_no_admin=True)
    assert policy.limits_for(engineer, platform, catalog.admin_account) is None
    apply_access(file, actor=SYSTEM, leave_no_admin=True)
    assert policy.limits_for(engineer, platform, catalog.admin_account) is not None
