"""What was written before there was a chain is chained as it stands, and then nobody changes it."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from tests import environment

TOKEN = uuid.UUID("6f2c1f6e-8a52-4b8e-9a51-0d5f2d3c4b5a")
EMPTY = (
    *("user_agent", "team", "token_name", "owner", "workspace", "workspace_name"),
    *("service_account", "service_account_name", "grafana_role", "aws_token_id"),
    *("aws_request_id", "fingerprint", "error_code", "reason"),
)


class Old:
    """A database of its own, as it was before the chain."""

    def __init__(self, directory: Path) -> None:
        self.environment = os.environ | {"PORTAL_DATA_DIR": str(directory)}
        self.url = ""
        if environment.STACK == "production":
            server, name = os.environ["DATABASE_URL"], f"old_{uuid.uuid4().hex}"
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            self.url = self.environment["DATABASE_URL"] = f"{server.rpartition('/')[0]}/{name}"
        self.file = directory / "portal.sqlite3"

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, settings.BASE_DIR / "manage.py", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def connect(self) -> Any:
        return psycopg.connect(self.url) if self.url else sqlite3.connect(self.file)

    def write(self, seq: int, subject: str) -> None:
        said = dict.fromkeys(EMPTY, "") | {
            "seq": seq,
            "at": timezone.now() if self.url else str(timezone.now().replace(tzinfo=None)),
            "action": "access.changed",
            "outcome": "succeeded",
            "actor": "lead@example.com",
            "address": "2001:db8::7",
            "token_id": TOKEN if self.url else TOKEN.hex,
            "subject": subject,
        }
        marks = ", ".join(["%s" if self.url else "?"] * len(said))
        with contextlib.closing(self.connect()) as connection, connection:
            connection.execute(
                f"INSERT INTO portal_auditevent ({', '.join(said)}) VALUES ({marks})",
                tuple(said.values()),
            )

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(self.connect()) as connection, connection:
            return list(connection.execute(sql).fetchall())


def test_events_from_before_the_chain_are_numbered_without_gaps_and_chained(
    tmp_path: Path,
) -> None:
    old = Old(tmp_path)
    old.manage("migrate", "portal", "0002")
    for seq in (1, 4, 7):  # other numbers went to transactions that were taken back
        old.write(seq, f"+ team “n{seq}”")
    old.manage("migrate")
    assert old.read("SELECT seq, subject FROM portal_auditevent ORDER BY seq") == [
        (1, "+ team “n1”"),
        (2, "+ team “n4”"),
        (3, "+ team “n7”"),
    ]
    assert old.manage("verify_audit").startswith("intact: 3 events")
    assert old.manage("verify_audit").startswith("intact: 4 events"), "new ones follow"
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match="append-only"):
        old.read("UPDATE portal_auditevent SET actor = 'nobody'")
    assert "no issues" in old.manage("check", "--database", "default")
