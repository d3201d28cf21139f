"""Reads which workspaces and service accounts AMG has, and keeps our copy of that."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now

from portal import audit
from portal.audit import Actor
from portal.grafana import types
from portal.grafana.client import Client
from portal.grafana.clients import client_for
from portal.grafana.errors import GrafanaError, ResourceNotFoundException
from portal.models import Action, Connection, ServiceAccount, Workspace


@dataclass(slots=True)
class Synced:
    """What a sync saw and changed."""

    workspaces: int = 0
    service_accounts: int = 0
    changes: int = 0


def sync_catalog(connection: Connection, *, actor: Actor) -> Synced:
    """Bring our copy of one connection's workspaces and accounts up to date.

    All of AMG's answers are read before anything is written; what AMG no longer lists is marked as
    gone, never deleted. Raises GrafanaError, and then nothing has changed.
    """
    client = client_for(**connection.client_settings)
    listed = [
        (workspace, _accounts(client, workspace.id)) for workspace in client.list_workspaces()
    ]
    synced = Synced(workspaces=len(listed))
    with transaction.atomic():
        seen_workspaces = []
        for workspace, accounts in listed:
            row = _store_workspace(connection, workspace, synced)
            seen_workspaces.append(row.pk)
            if accounts is not None:
                _store_accounts(row, accounts, synced)
        gone = Workspace.objects.present().filter(connection=connection)
        synced.changes += gone.exclude(pk__in=seen_workspaces).update(gone_at=Now())
        if synced.changes:
            audit.record(
                Action.CATALOG_SYNCED,
                actor=actor,
                subject=(
                    f"{connection.name}: {synced.workspaces} workspaces, "
                    f"{synced.service_accounts} service accounts"
                ),
                count=synced.changes,
            )
    return synced


def _accounts(client: Client, workspace_id: str) -> tuple[types.ServiceAccount, ...] | None:
    """The workspace's accounts; None when they can't be read, and what we know of them stays."""
    try:
        return client.list_service_accounts(workspace_id)
    except ResourceNotFoundException:
        return ()
    except GrafanaError as error:
        # A workspace that is being made, or runs Grafana 8, refuses: that is its own trouble.
        if error.retryable:
            raise
        return None


def _store_workspace(
    connection: Connection, workspace: types.Workspace, synced: Synced
) -> Workspace:
    seen = {
        "connection_id": connection.pk,
        "name": workspace.name or workspace.id,
        "endpoint": workspace.endpoint,
        "status": workspace.status,
        "grafana_version": workspace.grafana_version,
        "gone_at": None,
    }
    row = Workspace.objects.filter(aws_id=workspace.id).first() or Workspace(aws_id=workspace.id)
    if row.pk is None or any(getattr(row, name) != value for name, value in seen.items()):
        for name, value in seen.items():
            setattr(row, name, value)
        row.save()
        synced.changes += 1
    return row


def _store_accounts(
    workspace: Workspace, accounts: tuple[types.ServiceAccount, ...], synced: Synced
) -> None:
    known = {row.aws_id: row for row in workspace.service_accounts.all()}
    for account in accounts:
        synced.service_accounts += 1
        seen = {
            "name": account.name or account.id,
            "grafana_role": account.grafana_role,
            "is_disabled": account.is_disabled,
            "gone_at": None,
        }
        row = known.pop(account.id, None) or ServiceAccount(workspace=workspace, aws_id=account.id)
        if row.pk is None or any(getattr(row, name) != value for name, value in seen.items()):
            for name, value in seen.items():
                setattr(row, name, value)
            row.save()
            synced.changes += 1
    gone = [row.pk for row in known.values() if row.gone_at is None]
    if gone:
        synced.changes += ServiceAccount.objects.filter(pk__in=gone).update(gone_at=Now())
