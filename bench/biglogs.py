"""The logs that audit_scale measures: each in a database of its own, filled once, and worked on by
processes of their own (bench/logtimes.py)."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench import report
from tests.servers import Postgres

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
MOST_ON_SQLITE = 1_000_000
WRITERS, APPEND_SECONDS = 8, 6.0
STEP = "import django; django.setup(); from bench import logtimes; logtimes.main()"
ROOT = Path(__file__).resolve().parents[1]
SECRET = "a secret of the benchmark, kept with the logs that it has filled"


@dataclass(frozen=True, slots=True)
class Log:
    """One log, in one database, and the directory that the portal would keep its files in."""

    engine: str
    size: int
    directory: Path
    files: Path
    """The directory of the database's own files."""
    url: str = ""

    def step(self, name: str, *arguments: object) -> "subprocess.Popen[str]":
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-c", STEP, name, str(self.size), *map(str, arguments)],
            env={
                **environment,
                "DJANGO_SETTINGS_MODULE": "portal.settings",
                "PORTAL_DATA_DIR": str(self.directory),
                "PORTAL_EMBEDDED": "1",
                "AUDIT_KEY": SECRET,
                **({"DATABASE_URL": self.url} if self.url else {}),
            },
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def is_filled(self) -> bool:
        return (self.directory / "filled").exists()

    def fill(self) -> None:
        """Once; a kept log is not filled again."""
        if not self.is_filled:
            self.directory.mkdir(mode=0o700, exist_ok=True)
            self.run("fill")
            (self.directory / "filled").touch()

    def warm(self) -> None:
        """Read its files once: otherwise it depends on what ran before how much lies in memory."""
        report.progress(f"{self.engine}, {self.size:,}: warm up")
        for file in filter(Path.is_file, self.files.iterdir()):
            with file.open("rb", buffering=0) as content:
                while content.read(2**22):
                    pass

    def run(self, name: str) -> dict[str, Any]:
        report.progress(f"{self.engine}, {self.size:,}: {name.replace('_', ' ')}")
        return _answer(self.step(name))

    def append(self) -> dict[str, Any]:
        """Eight writers at once."""
        report.progress(f"{self.engine}, {self.size:,}: append")
        writers = [self.step("append", APPEND_SECONDS) for _ in range(WRITERS)]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()  # it is ready
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("\n")
            writer.stdin.flush()
        events = sum(_answer(writer)["events"] for writer in writers)
        return {"events_per_second": events / APPEND_SECONDS}


def _answer(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a step ended with {process.returncode}")
    answer: dict[str, Any] = json.loads(out)
    return answer


def _on_sqlite(directory: Path, most: int) -> Iterator[Log]:
    for size in SIZES:
        if size <= min(most, MOST_ON_SQLITE):
            home = directory / f"sqlite-{size}"
            log = Log("SQLite", size, home, files=home)
            log.fill()
            yield log


def _on_postgresql(directory: Path, most: int) -> Iterator[Log]:
    server = Postgres(directory)
    server.start()
    try:
        logs = [
            _log(server, size, directory / f"postgresql-{size}") for size in SIZES if size <= most
        ]
        if not all(log.is_filled for log in logs):
            with _in_a_hurry(server):
                for log in logs:
                    log.fill()
        yield from logs
    finally:
        server.stop()


@contextlib.contextmanager
def _in_a_hurry(server: Postgres) -> Iterator[None]:
    """A server that may lose everything with the machine: it is filled again then. Afterwards it is
    as Debian sets it up."""
    _set(
        server, "wal_level = minimal", "max_wal_senders = 0", "fsync = off", "max_wal_size = '8GB'"
    )
    yield
    _set(server)
    os.sync()


def _set(server: Postgres, *settings: str) -> None:
    with _connected(server) as connection:
        connection.execute("ALTER SYSTEM RESET ALL")
        for setting in settings:
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("CHECKPOINT")
    server.stop()
    server.start()


def _connected(server: Postgres) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(server.url, autocommit=True)


def _log(server: Postgres, size: int, home: Path) -> Log:
    """A log in a database of its own, which is made if it is not there."""
    name = f"audit_{size}"
    with _connected(server) as connection:
        with contextlib.suppress(psycopg.errors.DuplicateDatabase):
            connection.execute(f"CREATE DATABASE {name}")
        oid = connection.execute("SELECT oid FROM pg_database WHERE datname = %s", [name])
        files = server.data / "base" / str(oid.fetchone()[0])  # type: ignore[index]
    return Log("PostgreSQL", size, home, files, f"{server.url.rpartition('/')[0]}/{name}")


ENGINES = {"SQLite": _on_sqlite, "PostgreSQL": _on_postgresql}
