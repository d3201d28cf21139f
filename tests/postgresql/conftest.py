"""A PostgreSQL of these tests' own, whatever the others run on."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    # Not pytest's own directory, which PostgreSQL's user can't reach.
    directory = Path(tempfile.mkdtemp(prefix="portal-postgresql-"))
    server = Postgres(directory)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(directory, ignore_errors=True)
