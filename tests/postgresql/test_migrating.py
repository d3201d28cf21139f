"""A migration waits for a table in use, and nobody waits behind it."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.postgresql.test_commands import manage
from tests.servers import Postgres

LONG = 3.0
"""Seconds for which a reading goes on once a migration has begun to wait for it, and at most for
which another may wait behind that."""


@pytest.fixture(scope="module")
def url(server: Postgres) -> str:
    # No further: later migrations build indexes online, which waits for readings and holds up none.
    done = manage("migrate", "portal", "0062", "-v", "0", DATABASE_URL=server.url)
    assert done.returncode == 0, done.stderr
    return server.url


def test_who_reads_a_table_is_not_held_up_by_a_migration_that_waits_for_it(url: str) -> None:
    slowest = 0.0
    ends_at: float | None = None
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(url) as long_reading,
        psycopg.connect(url, autocommit=True) as reader,
    ):
        reader.execute(f"SET statement_timeout = '{LONG:.0f}s'")
        long_reading.execute("SELECT count(*) FROM portal_token")
        # Back to before a column of this table was there: that wants the table to itself.
        migration = pool.submit(manage, "migrate", "portal", "0061", DATABASE_URL=url)
        while not migration.done():
            begun = time.monotonic()
            reader.execute("SELECT count(*) FROM portal_token")
            slowest = max(slowest, time.monotonic() - begun)
            if ends_at is None and slowest > 0.1:  # behind the migration
                ends_at = time.monotonic() + LONG
            if ends_at is not None and time.monotonic() > ends_at:
                long_reading.rollback()
            time.sleep(0.01)
        done: subprocess.CompletedProcess[str] = migration.result()
    assert done.returncode == 0, done.stderr
    assert "A table is in use: trying again." in done.stdout
    assert slowest > 0.1, "nothing was migrated meanwhile"
