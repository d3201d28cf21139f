"""A process that could do nothing but fail does not start, and says what mends it."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.product import ROOT, clean_environment
from tests.servers import Postgres, free_port
from tests.test_runtime_role import Database

BINARIES = Path(sys.executable).parent
PROCESSES = {
    "web": [
        *(str(BINARIES / "gunicorn"), "--config", "deploy/gunicorn.conf.py"),
        *("--bind", f"127.0.0.1:{free_port()}"),
    ],
    "worker": [str(BINARIES / "celery"), "--quiet", "-A", "portal", "worker"],
    "scheduler": [sys.executable, "manage.py", "sweep", "--every", "2"],
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def tokens(server: Postgres, directory: Path) -> Database:
    return Database(server, directory)


def refusal(process: str, directory: Path, url: str, **environment: str) -> str:
    done = subprocess.run(
        PROCESSES[process],
        cwd=ROOT,
        env={
            **clean_environment(),
            "PORTAL_EMBEDDED": "1",
            "PORTAL_DATA_DIR": str(directory),
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
            "DATABASE_URL": url,
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("portal: ")]
    assert "Traceback" not in done.stderr
    return lines[-1]


@pytest.mark.parametrize("process", PROCESSES)
def test_without_the_schema(
    server: Postgres, tokens: Database, directory: Path, process: str
) -> None:
    name = f"bare_{process}"
    with psycopg.connect(server.url, autocommit=True) as database:
        database.execute(f"CREATE DATABASE {name} OWNER portal_runtime")
    url = urlsplit(tokens.runtime)._replace(path=f"/{name}").geturl()
    assert "run manage.py migrate as the tables' owner" in refusal(process, directory, url)


def test_with_a_schema_of_before(tokens: Database, directory: Path) -> None:
    with psycopg.connect(tokens.owner, autocommit=True) as database:
        rows = database.execute("""
            DELETE FROM django_migrations WHERE app = 'portal' AND name =
                (SELECT max(name) FROM django_migrations WHERE app = 'portal')
            RETURNING name, app
        """).fetchall()
        assert rows
        try:
            said = refusal("scheduler", directory, tokens.runtime)
        finally:
            for name, app in rows:
                database.execute(
                    "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())",
                    [app, name],
                )
    assert "lacks 1 migrations of this version (portal." in said


@pytest.mark.parametrize("process", PROCESSES)
def test_without_the_grants_of_a_new_table(tokens: Database, directory: Path, process: str) -> None:
    with psycopg.connect(tokens.owner, autocommit=True) as database:
        database.execute("REVOKE ALL ON portal_tally FROM portal_runtime")
        try:
            said = refusal(process, directory, tokens.runtime)
        finally:
            database.execute("GRANT ALL ON portal_tally TO portal_runtime")
    assert "SELECT on portal_tally, INSERT on portal_tally" in said
    assert "deploy/postgresql_runtime_role.sql" in said


@pytest.mark.parametrize("process", PROCESSES)
def test_with_another_audit_key(tokens: Database, directory: Path, process: str) -> None:
    said = refusal(process, directory, tokens.runtime, AUDIT_KEY="another key of a host " * 2)
    assert "AUDIT_KEY" in said
