"""Django's migrate, which keeps nobody waiting for a table that it can't have yet."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import LockNotAvailable

LOCK_MILLISECONDS = 300
"""Everybody who comes after a migration that waits for a lock waits behind it. Below PostgreSQL's
``deadlock_timeout`` (a second), so that of two who wait for each other the migration gives way,
and not a person's request."""
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 1.0


class Command(migrate.Command):
    """A migration that does not get its locks is rolled back and tried again."""

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with _impatient(connection):
                    super().handle(*args, **options)
                return
            except OperationalError as error:
                is_locked = isinstance(error.__cause__, LockNotAvailable)
                if not is_locked or time.monotonic() > until:
                    raise
            if options["verbosity"]:
                self.stdout.write("\nA table is in use: trying again.")
            time.sleep(PAUSE_SECONDS)


@contextlib.contextmanager
def _impatient(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Give up on a lock soon. SQLite has one for all, and a time of its own to wait for it."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {LOCK_MILLISECONDS}")
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")
