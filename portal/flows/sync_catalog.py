"""Reads which workspaces and service accounts AMG has, and keeps our copy of that.

A grant for one service account was given for what that account was then: its name and its role.
Where AMG has changed that, the grant is suspended until an admin confirms it.
"""

from dataclasses import dataclass, field

from django.db import transaction
from django.db.models.functions import Now

from portal import audit
from portal.audit import Actor
from portal.grafana import types
from portal.grafana.client import Client
from portal.grafana.clients import client_for
from portal.grafana.errors import GrafanaError, ResourceNotFoundException
from portal.models import Action, Connection, Grant, ServiceAccount, Workspace
from portal.text import shown

ROLES = ("VIEWER", "EDITOR", "ADMIN")
"""Grafana's roles; each may do what those before it may."""


@dataclass(slots=True)
class Synced:
    """What a sync saw and changed."""

    workspaces: int = 0
    service_accounts: int = 0
    changes: int = 0
    doubts: list[tuple[ServiceAccount, str]] = field(default_factory=list)
    """Accounts that are not any more what they were granted as, and why."""


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
        for account, why in synced.doubts:
            _suspend(account, why, actor)
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
    new: dict[str, str] = {}
    for account in accounts:
        synced.service_accounts += 1
        seen = {
            "name": account.name or account.id,
            "grafana_role": account.grafana_role,
            "is_disabled": account.is_disabled,
            "gone_at": None,
        }
        row = known.pop(account.id, None) or ServiceAccount(workspace=workspace, aws_id=account.id)
        if row._state.adding:
            new[str(seen["name"])] = account.id
        elif why := _is_another_now(row, str(seen["name"]), account.grafana_role):
            synced.doubts.append((row, why))
        if row.pk is None or any(getattr(row, name) != value for name, value in seen.items()):
            for name, value in seen.items():
                setattr(row, name, value)
            row.save()
            synced.changes += 1
    for row in known.values():
        if row.name in new:
            why = f"The name {row.name} belongs to another service account now, id {new[row.name]}."
            synced.doubts.append((row, why))
    gone = [row.pk for row in known.values() if row.gone_at is None]
    if gone:
        synced.changes += ServiceAccount.objects.filter(pk__in=gone).update(gone_at=Now())


def _is_another_now(row: ServiceAccount, name: str, role: str) -> str:
    """Why an account is not any more what its grants were given for; empty while it is."""
    if name != row.name:
        return f"The service account was renamed from {row.name} to {name}."
    if role != row.grafana_role and _rank(role) > _rank(row.grafana_role):
        return f"The role of {name} was raised from {row.grafana_role} to {role}."
    return ""


def _rank(role: str) -> int:
    """A role that we do not know may do anything."""
    return ROLES.index(role) if role in ROLES else len(ROLES)


def _suspend(account: ServiceAccount, why: str, actor: Actor) -> None:
    """Suspend the grants that name this account; those for all accounts of a workspace stay."""
    why = shown(why)
    grants = Grant.objects.filter(service_account=account, suspended_at=None)
    for grant in grants.select_related("team", "workspace", "service_account"):
        Grant.objects.filter(pk=grant.pk).update(suspended_at=Now(), suspended_reason=why[:600])
        subject = f"~ grant of {grant.team.slug} for {grant.where}: suspended"
        audit.record(
            Action.ACCESS_CHANGED, actor=actor, team=grant.team, subject=subject, reason=why
        )
