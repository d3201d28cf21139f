"""Backups of both databases by the lines of docs/BACKUP.md, made while people work."""

import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair
from tests.product import ROOT, Product, fresh_database
from tests.servers import Postgres, postgres_binaries

DOCS = (ROOT / "docs" / "BACKUP.md").read_text()


def line(beginning: str) -> str:
    """The line of the document that begins so."""
    [found] = [one.strip() for one in DOCS.splitlines() if one.strip().startswith(beginning)]
    return found


def shell(command: str, **variables: str) -> None:
    done = subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        env={"PATH": f"{postgres_binaries()}:{Path(sys.executable).parent}:/usr/bin:/bin"}
        | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def manage(product: Product, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=product.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def get_token(product: Product) -> str:
    """A token of the engineer's; its name."""
    name, keys = f"ci-{secrets.token_hex(4)}", KeyPair()
    engineer = product.sign_in("engineer@example.com")
    token = engineer.request(
        keys, workspace=PROD, service_account="2", name=name, seconds_to_live="3600", reason=""
    )
    engineer.take(keys, token)
    return name


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


def restored(product: Product, backup: Callable[[], None], restore: Callable[[], None]) -> None:
    """A backup is made between two tokens and restored: the second is found and ended."""
    with product:
        before = get_token(product)
        backup()
        after = get_token(product)
        assert {one["name"] for one in product.sandbox.live_tokens()} >= {before, after}
        product.stop()
        restore()
        # The file of published heads knows of events that this log has not.
        heads = product.data_dir / "audit-heads.jsonl"
        if heads.exists():
            heads.rename(heads.with_suffix(".of-before-the-restore"))
        product.start()
        assert "intact" in manage(product, "verify_audit")
        said = manage(product, "reconcile")
        assert re.search(rf": {after} \(id \d+\), made ", said), said
        assert f": {before} " not in said
        manage(product, "reconcile", "--end")
        left = {one["name"] for one in product.sandbox.live_tokens()}
        assert before in left
        assert after not in left
        assert "intact" in manage(product, "verify_audit")
        get_token(product)


def test_postgresql(server: Postgres, directory: Path) -> None:
    url = fresh_database(server.url)
    name = urlsplit(url).path.removeprefix("/")
    # Where PostgreSQL's programs of this test may write.
    dump = directory.parent / "portal.dump"
    product = Product(directory, DATABASE_URL=url)

    def restore() -> None:
        with psycopg.connect(server.url, autocommit=True) as database:
            database.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            database.execute(f'CREATE DATABASE "{name}"')
        shell(line("pg_restore "), OWNER_URL=url, BACKUP=str(dump))

    restored(product, lambda: shell(line("pg_dump "), OWNER_URL=url, BACKUP=str(dump)), restore)


def test_sqlite(directory: Path) -> None:
    backup = directory.parent / "portal.backup.sqlite3"
    product = Product(directory, DATABASE_URL=f"sqlite:///{directory}/portal.sqlite3")
    file = directory / "portal.sqlite3"

    def restore() -> None:
        for one in directory.glob("portal.sqlite3*"):
            one.unlink()
        shutil.copy(backup, file)
        with sqlite3.connect(file) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    shell_line = line("python3 -c 'import sqlite3")
    variables = {"PORTAL_DATA_DIR": str(directory), "BACKUP": str(backup)}
    restored(product, lambda: shell(shell_line, **variables), restore)
