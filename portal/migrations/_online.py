"""Indexes that are built while the portal works."""

import contextlib
from collections.abc import Iterator
from typing import Any

from django.db.migrations import AddIndex
from django.db.migrations.state import ProjectState

_STANDING = """
    SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relname = %s AND pg_table_is_visible(indexrelid)
"""


class AddIndexOnline(AddIndex):
    """AddIndex that on PostgreSQL keeps no writer out: the table may be big, and old processes are
    at work on it.

    To be used in a migration that is not atomic. One that was interrupted goes on where it was: what
    stands is left, and what PostgreSQL could not finish ("invalid", after a lost connection) is
    built anew. Django's own AddIndexConcurrently does neither, and works on PostgreSQL alone.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        connection = schema_editor.connection
        model: Any = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(connection.alias, model):
            return
        if connection.vendor != "postgresql":
            with connection.cursor() as cursor:
                table = connection.introspection.get_constraints(cursor, model._meta.db_table)
            if self.index.name not in table:
                super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        with connection.cursor() as cursor:
            cursor.execute(_STANDING, [self.index.name])
            standing = cursor.fetchone()
        if standing == (True,):
            return
        with _patient(connection):
            if standing is not None:
                schema_editor.remove_index(model, self.index, concurrently=True)
            schema_editor.add_index(model, self.index, concurrently=True)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        model: Any = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            with _patient(schema_editor.connection):
                schema_editor.remove_index(model, self.index, concurrently=True)


@contextlib.contextmanager
def _patient(connection: Any) -> Iterator[None]:
    """It waits for every transaction that is older than itself, and nobody waits for it."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        [before] = cursor.fetchone()
        cursor.execute("SET lock_timeout = 0")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [before])
