"""Whether the database is as this version's code needs it: migrated, and with the role's rights."""

from collections.abc import Iterator

from django.apps import apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

_READ_ONLY = ("auth_group", "auth_group_permissions", "auth_permission", "django_content_type")
_ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
_NEEDED = {
    **dict.fromkeys((*_READ_ONLY, "django_migrations"), ("SELECT",)),
    "portal_auditevent": ("SELECT", "INSERT"),
    "portal_audithead": ("SELECT", "UPDATE"),
}
"""What the processes do in tables in which they don't do everything."""
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
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    for table in sorted(tables | {"django_migrations"}):
        for right in _NEEDED.get(table, _ALL):
            yield table, right


def few(names: list[str]) -> str:
    """The first of them, in words."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
