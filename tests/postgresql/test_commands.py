"""A command that can't use its database says what, where and why on one line."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.product import ROOT, clean_environment
from tests.servers import Postgres, free_port
from tests.test_environment import PRODUCTION

COMMANDS = [
    ("migrate", "--no-input"),
    ("check", "--database", "default"),
    ("sync_catalog",),
    ("sweep",),
    ("createsuperuser", "--no-input", "--email", "admin@example.com"),
    ("showmigrations",),
]


def manage(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**clean_environment(), **PRODUCTION, "AWS_REGION": "eu-west-1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def complaint(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line on standard error."""
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def cluster(server: Postgres) -> Postgres:
    with psycopg.connect(server.url, autocommit=True) as database:
        database.execute("CREATE DATABASE empty")
        database.execute("CREATE ROLE stranger LOGIN")
    return server


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
def test_a_server_that_is_not_there(command: tuple[str, ...]) -> None:
    port = free_port()
    url = f"postgres://portal:db-password@127.0.0.1:{port}/tokens"
    line = complaint(manage(*command, DATABASE_URL=url))
    where = f"(PostgreSQL, 127.0.0.1 port {port}, database tokens, user portal)"
    assert line.startswith(f"portal: the database can't be used {where}: ")
    assert "Connection refused" in line
    assert "db-password" not in line


def test_a_database_that_is_not_there(cluster: Postgres) -> None:
    url = urlsplit(cluster.url)._replace(path="/nothing").geturl()
    assert 'database "nothing" does not exist' in complaint(manage("migrate", DATABASE_URL=url))


def test_a_database_that_nobody_has_migrated(cluster: Postgres) -> None:
    url = urlsplit(cluster.url)._replace(path="/empty").geturl()
    line = complaint(manage("sync_catalog", DATABASE_URL=url))
    assert "does not exist" in line
    assert line.endswith("(run manage.py migrate as the owner)")


def test_a_role_that_may_not(cluster: Postgres) -> None:
    assert manage("migrate", "--no-input", DATABASE_URL=cluster.url).returncode == 0
    url = cluster.url.replace("portal@", "stranger@")
    line = complaint(manage("sync_catalog", DATABASE_URL=url))
    assert "permission denied" in line
    assert line.endswith("(apply deploy/postgresql_runtime_role.sql as the owner)")


def test_a_database_file_that_can_not_be_opened(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/no/such/folder/portal.sqlite3"
    line = complaint(manage("migrate", DATABASE_URL=url))
    assert f"(SQLite, {tmp_path}/no/such/folder/portal.sqlite3): unable to open" in line


def test_a_database_file_that_nobody_has_migrated(tmp_path: Path) -> None:
    line = complaint(manage("sync_catalog", DATABASE_URL=f"sqlite:///{tmp_path}/new.sqlite3"))
    assert line.endswith("no such table: portal_connection (run manage.py migrate as the owner)")


def test_verify_audit_tells_by_its_exit_status_that_it_could_not_read(tmp_path: Path) -> None:
    url = f"postgres://portal:db-password@127.0.0.1:{free_port()}/tokens"
    done = manage("verify_audit", DATABASE_URL=url)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("unreadable: ")
    assert "Connection refused" in line


def test_a_traceback_is_there_for_who_asks(tmp_path: Path) -> None:
    done = manage("sync_catalog", "--traceback", DATABASE_URL=f"sqlite:///{tmp_path}/new.sqlite3")
    assert "Traceback" in done.stderr


def test_a_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    root = Path("/sys/portal-static")  # where nobody can write, root neither
    done = manage("collectstatic", "--no-input", PORTAL_STATIC_ROOT=str(root))
    assert "portal: a file can't be used (/sys/portal-static" in complaint(done)
