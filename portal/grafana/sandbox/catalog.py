"""Workspaces and their service accounts, as rows."""

from dataclasses import dataclass
from typing import Any

from portal.grafana.sandbox.database import Database


@dataclass(frozen=True, slots=True)
class Workspace:
    position: int
    """Where it stands in the order of making, which is the order of ListWorkspaces."""
    id: str
    name: str
    status: str
    grafana_version: str
    created: float
    modified: float


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    workspace_id: str
    id: int
    name: str
    role: str
    is_disabled: bool


class Catalog:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._execute = database.connection.execute

    def workspaces(self, *, after: int, limit: int) -> list[Workspace]:
        """At most `limit` of them, from the one behind position `after`."""
        rows = self._execute(
            "SELECT position, id, name, status, grafana_version, created, modified"
            " FROM workspaces WHERE position > ? ORDER BY position LIMIT ?",
            (after, limit),
        )
        return [Workspace(*row) for row in rows]

    def workspace(self, workspace_id: str) -> Workspace | None:
        row = self._execute(
            "SELECT position, id, name, status, grafana_version, created, modified"
            " FROM workspaces WHERE id = ?",
            (workspace_id,),
        ).fetchone()
        return Workspace(*row) if row else None

    def put_workspace(
        self, workspace_id: str, *, name: str, status: str, grafana_version: str, now: float
    ) -> None:
        """Make the workspace, or change the one of that id."""
        self._execute(
            "INSERT INTO workspaces (id, name, status, grafana_version, created, modified)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
            " status = excluded.status, grafana_version = excluded.grafana_version,"
            " modified = excluded.modified",
            (workspace_id, name, status, grafana_version, now, now),
        )

    def delete_workspace(self, workspace_id: str) -> bool:
        """Whether there was one. Its accounts and tokens go with it."""
        cursor = self._execute("DELETE FROM workspaces WHERE id = ?", (workspace_id,))
        return cursor.rowcount == 1

    def service_accounts(
        self, workspace_id: str, *, after: int, limit: int
    ) -> list[ServiceAccount]:
        """At most `limit` of them by id, from the one behind id `after`."""
        rows = self._execute(
            "SELECT workspace_id, id, name, role, is_disabled FROM service_accounts"
            " WHERE workspace_id = ? AND id > ? ORDER BY id LIMIT ?",
            (workspace_id, after, limit),
        )
        return [_account(row) for row in rows]

    def service_account(self, workspace_id: str, account_id: int) -> ServiceAccount | None:
        row = self._execute(
            "SELECT workspace_id, id, name, role, is_disabled FROM service_accounts"
            " WHERE workspace_id = ? AND id = ?",
            (workspace_id, account_id),
        ).fetchone()
        return _account(row) if row else None

    def count_service_accounts(self, workspace_id: str) -> int:
        count: int = self._execute(
            "SELECT count(*) FROM service_accounts WHERE workspace_id = ?", (workspace_id,)
        ).fetchone()[0]
        return count

    def add_service_account(
        self, workspace_id: str, *, name: str, role: str, is_disabled: bool = False
    ) -> int:
        """The new account's id. Raises NameTakenError."""
        with self._database.transaction(), self._database.unique_names():
            account_id: int = self._execute(
                "UPDATE workspaces SET last_account_id = last_account_id + 1 WHERE id = ?"
                " RETURNING last_account_id",
                (workspace_id,),
            ).fetchone()[0]
            self._execute(
                "INSERT INTO service_accounts (workspace_id, id, name, role, is_disabled)"
                " VALUES (?, ?, ?, ?, ?)",
                (workspace_id, account_id, name, role, is_disabled),
            )
        return account_id

    def change_service_account(self, account: ServiceAccount) -> None:
        """Store the account's name, role and is_disabled. Raises NameTakenError."""
        with self._database.unique_names():
            self._execute(
                "UPDATE service_accounts SET name = ?, role = ?, is_disabled = ?"
                " WHERE workspace_id = ? AND id = ?",
                (
                    account.name,
                    account.role,
                    account.is_disabled,
                    account.workspace_id,
                    account.id,
                ),
            )

    def delete_service_account(self, workspace_id: str, account_id: int) -> bool:
        """Whether there was one. Its tokens go with it, as in Grafana."""
        cursor = self._execute(
            "DELETE FROM service_accounts WHERE workspace_id = ? AND id = ?",
            (workspace_id, account_id),
        )
        return cursor.rowcount == 1


def _account(row: tuple[Any, ...]) -> ServiceAccount:
    workspace_id, account_id, name, role, is_disabled = row
    return ServiceAccount(workspace_id, account_id, name, role, bool(is_disabled))
