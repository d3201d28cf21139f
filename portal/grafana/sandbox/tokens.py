"""Service-account tokens, as rows. Of a key, only its SHA-256 is kept."""

from dataclasses import dataclass

from portal.grafana.sandbox.database import Database


@dataclass(frozen=True, slots=True)
class Token:
    workspace_id: str
    id: int
    service_account_id: int
    name: str
    created: float
    expires: float
    last_used: float | None


class Tokens:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._execute = database.connection.execute

    def of_account(
        self, workspace_id: str, account_id: int, *, after: int, limit: int
    ) -> list[Token]:
        """At most `limit` of them by id, expired ones too, from the one behind id `after`."""
        rows = self._execute(
            "SELECT workspace_id, id, service_account_id, name, created, expires, last_used"
            " FROM tokens WHERE workspace_id = ? AND service_account_id = ? AND id > ?"
            " ORDER BY id LIMIT ?",
            (workspace_id, account_id, after, limit),
        )
        return [Token(*row) for row in rows]

    def expiring_after(self, moment: float) -> list[Token]:
        """Every token of every workspace that ends after `moment`."""
        rows = self._execute(
            "SELECT workspace_id, id, service_account_id, name, created, expires, last_used"
            " FROM tokens WHERE expires > ? ORDER BY workspace_id, id",
            (moment,),
        )
        return [Token(*row) for row in rows]

    def count(self, workspace_id: str) -> int:
        """How many count against the workspace's quota: all, expired ones too."""
        count: int = self._execute(
            "SELECT count(*) FROM tokens WHERE workspace_id = ?", (workspace_id,)
        ).fetchone()[0]
        return count

    def add(
        self,
        workspace_id: str,
        account_id: int,
        *,
        name: str,
        key_sha256: str,
        created: float,
        expires: float,
    ) -> int:
        """The new token's id. Raises NameTakenError: names are unique in the whole workspace."""
        with self._database.transaction(), self._database.unique_names():
            token_id: int = self._execute(
                "UPDATE workspaces SET last_token_id = last_token_id + 1 WHERE id = ?"
                " RETURNING last_token_id",
                (workspace_id,),
            ).fetchone()[0]
            self._execute(
                "INSERT INTO tokens (workspace_id, id, service_account_id, name, created,"
                " expires, key_sha256) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (workspace_id, token_id, account_id, name, created, expires, key_sha256),
            )
        return token_id

    def delete(self, workspace_id: str, account_id: int, token_id: int) -> bool:
        """Whether the account had that token."""
        cursor = self._execute(
            "DELETE FROM tokens WHERE workspace_id = ? AND service_account_id = ? AND id = ?",
            (workspace_id, account_id, token_id),
        )
        return cursor.rowcount == 1

    def of_key(self, key_sha256: str) -> Token | None:
        row = self._execute(
            "SELECT workspace_id, id, service_account_id, name, created, expires, last_used"
            " FROM tokens WHERE key_sha256 = ?",
            (key_sha256,),
        ).fetchone()
        return Token(*row) if row else None

    def used(self, token: Token, now: float) -> None:
        self._execute(
            "UPDATE tokens SET last_used = ? WHERE workspace_id = ? AND id = ?",
            (now, token.workspace_id, token.id),
        )
