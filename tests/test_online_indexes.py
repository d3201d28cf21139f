"""Indexes are added to a database at work, and a migration that was interrupted goes on."""

import contextlib
from pathlib import Path

import psycopg
import pytest
from django.db.migrations.loader import MigrationLoader

from tests import environment
from tests.audit.test_migration import Old

_MIGRATIONS = MigrationLoader(None).disk_migrations
[MIGRATION] = [
    one for (app, name), one in _MIGRATIONS.items() if app == "portal" and name.endswith("_scale")
]
ADDED = MIGRATION.name
BEFORE = MIGRATION.dependencies[0][1]
NAMES = {operation.index.name for operation in MIGRATION.operations}  # type: ignore[attr-defined]
STANDING = {
    "production": """
        SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indisvalid
    """,
    "embedded": "SELECT name FROM sqlite_master WHERE type = 'index'",
}


@pytest.fixture
def old(tmp_path: Path) -> Old:
    old = Old(tmp_path)
    old.manage("migrate", "portal", BEFORE, "-v0")
    return old


def standing(old: Old) -> set[str]:
    """Those of the indexes that the database has and uses."""
    return {name for (name,) in old.read(STANDING[environment.STACK])} & NAMES


def run(old: Old, sql: str) -> None:
    if old.url:
        with psycopg.connect(old.url, autocommit=True) as connection:
            connection.execute(sql)
        return
    with contextlib.closing(old.connect()) as connection, connection:
        connection.execute(sql)


def test_every_index_comes_and_goes(old: Old) -> None:
    assert standing(old) == set()
    old.manage("migrate", "portal", ADDED, "-v0")
    assert standing(old) == NAMES
    old.manage("migrate", "portal", BEFORE, "-v0")
    assert standing(old) == set()


def test_a_migration_that_was_interrupted_goes_on(old: Old) -> None:
    """The first indexes stand, and PostgreSQL could not finish one of them."""
    run(old, "CREATE INDEX token_by_state ON portal_token (state, expires_at)")
    run(old, "CREATE INDEX token_by_owner_and_name ON portal_token (owner_id, name)")
    if old.url:
        run(
            old,
            "UPDATE pg_index SET indisvalid = false "
            "WHERE indexrelid = 'token_by_owner_and_name'::regclass",
        )
        assert "token_by_owner_and_name" not in standing(old)
    old.manage("migrate", "portal", ADDED, "-v0")
    assert standing(old) == NAMES


def test_writers_are_not_kept_out_meanwhile(old: Old) -> None:
    """PostgreSQL builds each CONCURRENTLY. SQLite has one writer anyway."""
    said = old.manage("sqlmigrate", "portal", ADDED)
    assert "token_by_state" in said
    assert ("CONCURRENTLY" in said) == bool(old.url)
