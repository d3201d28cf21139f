"""Whether the database is as this version's code needs it: migrated, and with the role's rights."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

ROLE = Path(__file__).resolve().parents[1] / "deploy" / "postgresql_runtime_role.sql"
"""What the processes do in each table is written once, and granted by that file."""
_GRANT = re.compile(r"GRANT ([A-Z, ]+) ON\s+([a-z_,\s]+?)\s+TO portal_runtime;")
_MAY = """
    SELECT wanted.name, wanted.privilege
    FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS wanted (name, privilege, place)
    WHERE NOT coalesce(has_table_privilege(to_regclass(wanted.name), wanted.privilege), false)
    ORDER BY wanted.place
"""


def missing_migrations() -> list[str]:
    """What ``migrate`` would do, by name. Raises DatabaseError."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def missing_rights() -> list[str]:
    """What this role may not do and the processes do, such as "DELETE on portal_token".

    None outside PostgreSQL. Raises DatabaseError.
    """
    if connection.vendor != "postgresql":
        return []
    wanted = [*_wanted()]
    with connection.cursor() as cursor:
        cursor.execute(_MAY, [[table for table, _ in wanted], [right for _, right in wanted]])
        return [f"{right} on {table}" for table, right in cursor.fetchall()]


def _wanted() -> Iterator[tuple[str, str]]:
    for rights, tables in _GRANT.findall(ROLE.read_text() if ROLE.exists() else ""):
        for table in re.split(r",\s*", tables):
            for right in rights.split(", "):
                yield table, right


def few(names: list[str]) -> str:
    """The first of them, in words."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
