"""Keeps our copy of the catalog: what AMG no longer lists is marked as gone, never deleted.

A reading that brings nothing new writes nothing. A grant for one service account was given for what
that account was then, its name and its role: where AMG has changed that, the grant is suspended
until an admin confirms it. The events are the caller's to write.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from portal.catalog.reading import Listing, Reading, Trouble
from portal.grafana import types
from portal.models import Connection, Grant, ServiceAccount, Workspace
from portal.text import shown

ASKED_AGAIN_AFTER = timedelta(seconds=10)
"""AWS allows 5 such questions a second, in all workspaces together."""
ROLES = ("VIEWER", "EDITOR", "ADMIN")
"""Grafana's roles; each may do what those before it may."""

_SEEN_OF_ACCOUNT = ("name", "grafana_role", "is_disabled", "gone_at")


@dataclass(slots=True)
class Stored:
    """What storing has changed."""

    changes: int = 0
    suspended: list[tuple[Grant, str]] = field(default_factory=list)
    """Grants for accounts that are not any more what they were granted as, and why."""


def is_stored(connection: Connection, reading: Reading) -> bool:
    """Whether our copy of a workspace says just this."""
    row = Workspace.objects.filter(aws_id=reading.workspace.id).first()
    return row is not None and _Difference(connection, row, reading).is_none


def store_workspace(connection: Connection, reading: Reading) -> Stored:
    """Bring our copy of one workspace up to date, inside a transaction. Locks the workspace."""
    aws_id = reading.workspace.id
    Workspace.objects.get_or_create(
        aws_id=aws_id, defaults={"connection": connection, "name": aws_id, "status": ""}
    )
    row = Workspace.objects.select_for_update(no_key=True).get(aws_id=aws_id)
    return _Difference(connection, row, reading).write()


def look_again(workspace: Workspace) -> bool:
    """Whether it is the caller's turn to ask AWS for a workspace that is being changed: one of all
    who wait for it asks, and not again for some seconds.

    Where it is not, ``workspace`` says what is known by now.
    """
    lately = Now() - ASKED_AGAIN_AFTER
    rows = Workspace.objects.filter(pk=workspace.pk)
    if rows.filter(Q(described_at=None) | Q(described_at__lt=lately)).update(described_at=Now()):
        return True
    workspace.refresh_from_db(fields=["status", "gone_at", "grafana_version"])
    return False


def note_described(workspace: Workspace, seen: types.Workspace) -> None:
    """Keep what AWS says of a workspace alone, without its accounts."""
    workspace.status, workspace.grafana_version = seen.status, seen.grafana_version
    workspace.gone_at = None
    workspace.save(update_fields=["status", "grafana_version", "gone_at"])


def gone_from(connection: Connection, listing: Listing) -> list[int]:
    """The workspaces that the connection no longer lists, by the ids of their rows.

    One whose row of the list can't be read is there; where not even the id can be read, it may be
    any of them.
    """
    there = {one.id for one in listing.workspaces} | {one.id for one in listing.left_out}
    if "" in there:
        return []
    rows = Workspace.objects.present().filter(connection=connection)
    return [pk for pk, aws_id in rows.values_list("pk", "aws_id") if aws_id not in there]


def store_gone(workspaces: list[int]) -> None:
    """Mark workspaces as gone."""
    Workspace.objects.filter(pk__in=workspaces).update(gone_at=Now())


def note_trouble(row: Connection | Workspace, trouble: Trouble | None) -> None:
    """Keep since when something can't be read, and why; written when that changes."""
    if fields := _trouble_fields(row, trouble):
        type(row)._default_manager.filter(pk=row.pk).update(**fields)


def _trouble_fields(row: Connection | Workspace, trouble: Trouble | None) -> dict[str, Any]:
    """What to write; nothing while the trouble is the same: its request id is the first one's."""
    if trouble is None:
        nothing = {"unread_since": None, "unread_code": "", "unread_request_id": ""}
        return nothing if row.unread_since is not None else {}
    if row.unread_since is not None and row.unread_code == trouble.code:
        return {}
    return {
        "unread_since": row.unread_since or Now(),
        "unread_code": trouble.code,
        "unread_request_id": trouble.request_id,
    }


class _Difference:
    """How a workspace and its accounts differ from what was read."""

    def __init__(self, connection: Connection, row: Workspace, reading: Reading) -> None:
        self._row = row
        seen = {
            "connection_id": connection.pk,
            "name": reading.workspace.name or reading.workspace.id,
            "endpoint": reading.workspace.endpoint,
            "status": reading.workspace.status,
            "grafana_version": reading.workspace.grafana_version,
            "gone_at": None,
        }
        self._fields = {name: value for name, value in seen.items() if getattr(row, name) != value}
        self._trouble = _trouble_fields(row, reading.trouble)
        self._new: list[ServiceAccount] = []
        self._changed: list[ServiceAccount] = []
        self._gone: list[int] = []
        self._doubts: list[tuple[ServiceAccount, str]] = []
        if reading.accounts is not None:
            self._compare_accounts(reading)

    @property
    def is_none(self) -> bool:
        return not (
            self._fields
            or self._trouble
            or self._new
            or self._changed
            or self._gone
            or self._doubts
        )

    def write(self) -> Stored:
        """Write it. The workspace is locked."""
        if self._fields or self._trouble:
            Workspace.objects.filter(pk=self._row.pk).update(**self._fields, **self._trouble)
        # A process of an older version may be reading the same at this moment.
        ServiceAccount.objects.bulk_create(self._new, ignore_conflicts=True)
        ServiceAccount.objects.bulk_update(self._changed, _SEEN_OF_ACCOUNT)
        if self._gone:
            ServiceAccount.objects.filter(pk__in=self._gone).update(gone_at=Now())
        stored = Stored(
            int(bool(self._fields)) + len(self._new) + len(self._changed) + len(self._gone)
        )
        for account, why in self._doubts:
            stored.suspended += _suspend(account, why)
        return stored

    def _compare_accounts(self, reading: Reading) -> None:
        known = {row.aws_id: row for row in self._row.service_accounts.all()}
        names: dict[str, str] = {}
        for account in reading.accounts or ():
            seen = {
                "name": account.name or account.id,
                "grafana_role": account.grafana_role,
                "is_disabled": account.is_disabled,
                "gone_at": None,
            }
            row = known.pop(account.id, None)
            if row is None:
                names[str(seen["name"])] = account.id
                self._new.append(ServiceAccount(workspace=self._row, aws_id=account.id, **seen))
                continue
            if why := _is_another_now(row, str(seen["name"]), account.grafana_role):
                self._doubts.append((row, why))
            if any(getattr(row, name) != value for name, value in seen.items()):
                for name, value in seen.items():
                    setattr(row, name, value)
                self._changed.append(row)
        for row in known.values():
            if row.name in names:
                why = (
                    f"The name {row.name} belongs to another service account now, "
                    f"id {names[row.name]}."
                )
                self._doubts.append((row, why))
        if "" not in reading.hidden:
            left = [row for row in known.values() if row.aws_id not in reading.hidden]
            self._gone = [row.pk for row in left if row.gone_at is None]


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


def _suspend(account: ServiceAccount, why: str) -> list[tuple[Grant, str]]:
    """Suspend the grants that name this account; those for all accounts of a workspace stay."""
    why = shown(why)
    grants = Grant.objects.filter(service_account=account, suspended_at=None)
    found = list(grants.select_related("team", "workspace", "service_account"))
    if found:
        Grant.objects.filter(pk__in=[grant.pk for grant in found]).update(
            suspended_at=Now(), suspended_reason=why[:600]
        )
    return [(grant, why) for grant in found]
