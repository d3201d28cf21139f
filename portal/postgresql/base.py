"""The backend itself. Django looks for this module by its name."""

from typing import Any

import psycopg
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base

from portal.postgresql.pool import Connection, Pool

OURS_TO_SET = {
    "default_transaction_isolation": ("read committed", "read uncommitted"),
    "synchronous_commit": ("on", "remote_apply", "remote_write", "local"),
    "IntervalStyle": ("postgres",),
}
"""The level that the code was written for, that what is answered survives a crash, and what
durations are read by: the value to set, and others that do as well. A pooler that lends another
session to each transaction keeps none of them."""
_NAMES = ", ".join(f"current_setting('{name}')" for name in OURS_TO_SET)
_ASK = f"SELECT pg_backend_pid(), {_NAMES}"


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with our pool, with sessions that begin alike, and fit for PgBouncer."""

    @property
    def pool(self) -> Pool | None:
        """The pool of this process; OPTIONS["pool"] are its ``size`` and ``timeout``."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        pools: dict[str, Pool] = self._connection_pools  # type: ignore[attr-defined]  # Django's
        if self.alias not in pools:
            parameters = self.get_connection_params() | {"autocommit": True}

            def connect() -> Connection:
                made = psycopg.connect(**parameters)
                try:
                    self._configure_connection(made)
                except BaseException:
                    made.close()
                    raise
                return made

            # Of several threads that come first one makes the pool; it opens nothing meanwhile.
            pools.setdefault(self.alias, Pool(connect, **options))
        return pools[self.alias]

    def _configure_connection(self, connection: Connection) -> bool:
        """Set what the code relies on, whatever the server, the database or the role say.

        Whether the server takes writes is not set but found out: an administrator may have put a
        stop to them.
        """
        # PgBouncer keeps this one for each of its clients, and TimeZone, which Django sets.
        dates = connection.info.parameter_status("DateStyle") or ""
        unlike = {} if dates.startswith("ISO") else {"DateStyle": "ISO"}
        backend, *settings = connection.execute(_ASK).fetchone() or (0,)
        ours = {
            name: good[0]
            for (name, good), now in zip(OURS_TO_SET.items(), settings, strict=True)
            if now not in good
        }
        if ours and backend != connection.info.backend_pid:
            raise psycopg.OperationalError(_refusal(ours))
        for name, value in (unlike | ours).items():
            connection.execute(f"SET {name} = '{value}'")
        django: Any = super()
        return bool(django._configure_connection(connection) or unlike or ours)

    def chunked_cursor(self) -> Any:
        """A cursor of the server's own inside a transaction; outside one, the client's.

        A cursor that outlives its transaction is unknown to the session that PgBouncer lends next.
        """
        return super().chunked_cursor() if self.in_atomic_block else self.cursor()


def _refusal(ours: dict[str, str]) -> str:
    orders = "; ".join(f"ALTER ROLE ... SET {name} = '{value}'" for name, value in ours.items())
    return (
        "a connection pooler stands before this server and keeps no settings of a session, so the "
        f"role itself must have them: {orders}"
    )
