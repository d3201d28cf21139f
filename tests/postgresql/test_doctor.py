"""What the doctor says of a real PostgreSQL: rights, migrations, triggers, keys."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.product import ROOT, clean_environment
from tests.servers import Postgres, free_port
from tests.test_runtime_role import Database


class Tokens:
    """A database of the portal with its two roles, as deploy/ makes it."""

    def __init__(self, server: Postgres, directory: Path) -> None:
        self._database = Database(server, directory)
        self.owner, self.runtime = self._database.owner, self._database.runtime
        self.environment = {
            **clean_environment(),
            "PORTAL_EMBEDDED": "1",
            "PORTAL_DATA_DIR": str(directory),
            "PORT": str(free_port()),
        }
        generated = (directory / "portal.env").read_text()
        self.audit_key = re.findall(r"^AUDIT_KEY=(.+)$", generated, re.M)[0]


@pytest.fixture(scope="module")
def tokens(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens(server, tmp_path_factory.mktemp("data"))


def said_of_the_database(tokens: Tokens, url: str, **environment: str) -> dict[str, list[str]]:
    """What it says, by state."""
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        cwd=ROOT,
        env=tokens.environment | {"DATABASE_URL": url, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    found: dict[str, list[str]] = {"ok": [], "warning": [], "failed": []}
    for one in json.loads(done.stdout)["findings"]:
        if one["check"] == "database":
            found[one["state"]].append(one["says"])
    return found


def test_as_the_runtime_role_all_is_well(tokens: Tokens) -> None:
    said = said_of_the_database(tokens, tokens.runtime)
    assert said["failed"] == []
    assert said["warning"] == []
    assert "this role may do what the processes do" in said["ok"]
    assert "AUDIT_KEY is the log's" in said["ok"]


def test_a_right_that_is_missing_is_named_with_its_table(tokens: Tokens) -> None:
    with psycopg.connect(tokens.owner, autocommit=True) as connection:
        connection.execute("REVOKE DELETE ON portal_token FROM portal_runtime")
        try:
            said = said_of_the_database(tokens, tokens.runtime)
        finally:
            connection.execute("GRANT DELETE ON portal_token TO portal_runtime")
    assert said["failed"] == ["this role lacks DELETE on portal_token"]


def test_the_owner_may_too_much(tokens: Tokens) -> None:
    # Of the embedded default's own database nobody else is the owner.
    said = said_of_the_database(
        tokens,
        tokens.owner,
        PORTAL_EMBEDDED="0",
        PORTAL_ORIGIN=f"http://127.0.0.1:{free_port()}",
        ALLOWED_HOSTS="127.0.0.1",
        EMAIL_URL=f"smtp://127.0.0.1:{free_port()}",
        CELERY_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0",
        SECRET_KEY="a secret of the tests " * 2,
        AUDIT_KEY=tokens.audit_key,
    )
    assert any("may UPDATE, DELETE, TRUNCATE" in one for one in said["warning"])


def test_a_trigger_that_is_gone_is_named(tokens: Tokens) -> None:
    with psycopg.connect(tokens.owner, autocommit=True) as connection:
        connection.execute("ALTER TABLE portal_auditevent DISABLE TRIGGER portal_audit_append_only")
        try:
            said = said_of_the_database(tokens, tokens.runtime)
        finally:
            connection.execute(
                "ALTER TABLE portal_auditevent ENABLE ALWAYS TRIGGER portal_audit_append_only"
            )
    assert any("portal_audit_append_only" in one for one in said["failed"])


def test_another_audit_key_is_told(tokens: Tokens) -> None:
    said = said_of_the_database(tokens, tokens.runtime, AUDIT_KEY="another key " * 4)
    [one] = said["failed"]
    assert "AUDIT_KEY" in one or "audit" in one


def test_a_schema_that_is_not_migrated(server: Postgres, tokens: Tokens) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bare OWNER portal_runtime")
    url = urlsplit(tokens.runtime)._replace(path="/bare").geturl()
    [one] = said_of_the_database(tokens, url)["failed"]
    assert "migrations are missing" in one
