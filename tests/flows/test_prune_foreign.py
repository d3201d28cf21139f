"""Expired tokens that nobody here issued go where an admin permits it, and nowhere else."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from portal.audit import keys
from portal.audit.database import verify_database
from portal.flows.permit_pruning import permit_pruning
from portal.flows.prune_foreign import prune_foreign
from portal.flows.sweep import accounts_with_foreign_tokens_to_prune as due
from portal.flows.take_inventory import take_inventory
from portal.gateway import Gateway
from portal.models import Action, AuditEvent, ListedToken, User
from tests.conftest import Catalog, acting
from tests.grafana.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting")]
DELETE = "DeleteWorkspaceServiceAccountToken"


@pytest.fixture
def listed(aws: SandboxProcess, catalog: Catalog) -> ListedToken:
    """Expired by our clock alone; one beside it lives on."""
    account = catalog.deployer
    gateway = Gateway(account.workspace.connection)
    for name, seconds in (("old", 60), ("alive", 86_400)):
        gateway.create_token(
            account.workspace.aws_id, account.aws_id, name=name, seconds_to_live=seconds
        )
    take_inventory(account.pk)
    entry = ListedToken.objects.get(service_account=account, name="old")
    ListedToken.objects.filter(pk=entry.pk).update(
        expires_at=timezone.now() - timedelta(minutes=10)
    )
    return entry


@pytest.fixture
def expired(aws: SandboxProcess, listed: ListedToken) -> ListedToken:
    """The same once its time is over at AWS."""
    aws.advance(3600)
    return listed


def names(aws: SandboxProcess, catalog: Catalog) -> set[str]:
    account = catalog.deployer
    listed = Gateway(account.workspace.connection).list_tokens(
        account.workspace.aws_id, account.aws_id
    )
    return {one.name for one in listed.tokens} & {"old", "alive"}


def test_without_permission_nothing_is_deleted(
    aws: SandboxProcess, catalog: Catalog, expired: ListedToken
) -> None:
    assert not due()
    assert prune_foreign(catalog.deployer.pk) == 0
    assert names(aws, catalog) == {"old", "alive"}


def test_with_it_what_has_expired_goes_once_and_what_lives_stays(
    aws: SandboxProcess, catalog: Catalog, expired: ListedToken, admin: User
) -> None:
    workspace = catalog.workspace
    assert permit_pruning(workspace, actor=acting(admin), is_permitted=True)
    assert not permit_pruning(workspace, actor=acting(admin), is_permitted=True), "it is already"
    assert due().prune == [catalog.deployer.pk]
    assert [prune_foreign(catalog.deployer.pk) for _ in range(2)] == [1, 0]
    assert len(aws.calls(DELETE)) == 1
    assert names(aws, catalog) == {"alive"}
    assert not ListedToken.objects.filter(pk=expired.pk).exists()
    [event] = AuditEvent.objects.filter(action=Action.TOKEN_PRUNED)
    assert (event.token_id, event.aws_token_id) == (None, expired.aws_id)
    assert event.aws_request_id
    assert "admin@example.com permits" in event.reason
    verify_database(keys.every(), {})


def test_aws_s_clock_decides_and_not_ours(
    aws: SandboxProcess, catalog: Catalog, listed: ListedToken, admin: User
) -> None:
    permit_pruning(catalog.workspace, actor=acting(admin), is_permitted=True)
    assert due().prune == [catalog.deployer.pk]
    assert prune_foreign(catalog.deployer.pk) == 0
    assert names(aws, catalog) == {"old", "alive"}
    assert not due(), "it is looked at again later"


def test_giving_and_withdrawing_are_events_each_and_admins_alone_do_it(
    catalog: Catalog, expired: ListedToken, admin: User, lead: User
) -> None:
    with pytest.raises(PermissionDenied):
        permit_pruning(catalog.workspace, actor=acting(lead), is_permitted=True)
    permit_pruning(catalog.workspace, actor=acting(admin), is_permitted=True)
    permit_pruning(catalog.workspace, actor=acting(admin), is_permitted=False)
    assert not due()
    told = AuditEvent.objects.filter(action=Action.SETTINGS_CHANGED).order_by("seq")
    assert [(one.actor, one.subject.rpartition(" is ")[2]) for one in told] == [
        ("admin@example.com", "permitted"),
        ("admin@example.com", "permitted no longer"),
    ]
