"""The whole product as ``make run`` starts it, for tests of its edges and for benchmarks.

with Product(PORTAL_UNCLAIMED_SECONDS="5") as product:
    engineer = product.sign_in("engineer@example.com")
    product.kill("worker")
    ...

Under ``PORTAL_TEST_STACK=production`` it runs on a fresh database of the tests' PostgreSQL and on a
Redis of its own, instead of on SQLite and the embedded broker.
"""

import atexit
import contextlib
import functools
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests import environment
from tests.grafana.sandbox_process import SandboxProcess
from tests.person import Person
from tests.prepared import data_directory
from tests.servers import Redis, free_port
from tests.warm_python import WarmPython

ROOT = Path(__file__).resolve().parents[1]
COMMAND = (sys.executable, "manage.py", "run")
START_SECONDS = 120.0
STOP_SECONDS = 60.0

LAST_WORDS_OF_A_START = "Ctrl-C stops everything."
PASSWORD = re.compile(r"^Sign in with the password  (\S.*?)  as$", re.MULTILINE)

OURS = re.compile(
    r"(AWS|PORTAL|CELERY|CACHE|DATABASE|EMAIL|SANDBOX|GENERATED|DJANGO)_"
    r"|(SECRET_KEY|AUDIT_KEY|ALLOWED_HOSTS|PORT)(_FILE)?$"
)
"""Variables that this process may have for its own portal, and the product must not inherit."""

LIBRARIES = (
    "import environ, redis; import django.core.mail, django.core.serializers.json, django.http"
)
"""What the portal's settings import of others, as far as it reads no settings itself."""

WHO_IS_WHO = {
    "manage.py run": "run",
    "manage.py sweep": "scheduler",
    "gunicorn": "web",
    "celery": "worker",
    "valkey-server": "broker",
    "portal.grafana.sandbox": "sandbox",
    "portal.embedded.sign_in": "sign-in",
}


@dataclass(frozen=True, slots=True)
class Running:
    """A process of the product; ``name`` is run, web, worker, scheduler, broker or sandbox."""

    pid: int
    parent: int
    name: str


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that speaks to a portal."""
    return {name: value for name, value in os.environ.items() if not OURS.match(name)}


def prepared() -> Path:
    """A data directory as a first start makes it, to copy."""
    return data_directory(tuple(clean_environment().items()))


def run_python(
    code: str, data_dir: Path | None = None, /, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Run some Python in a process of its own that sees these settings and no others."""
    directory = {"PORTAL_DATA_DIR": str(data_dir)} if data_dir else {}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            **clean_environment(),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            **directory,
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def read_settings(
    code: str, data_dir: Path, /, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """As ``run_python``, in a fifth of the time, for code that needs only the portal's settings."""
    return _with_libraries().run(
        code,
        {
            **clean_environment(),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PORTAL_DATA_DIR": str(data_dir),
            **settings,
        },
    )


@functools.cache
def _with_libraries() -> WarmPython:
    python = WarmPython(LIBRARIES, clean_environment())
    atexit.register(python.close)
    return python


class Product:
    """``manage.py run`` on free ports, with everything it writes in ``data_dir``.

    Keyword arguments are settings of the environment. Without ``data_dir`` it makes one, and
    removes it at the end. ``start`` and ``stop`` may be called again: ports and data stay.
    """

    def __init__(self, data_dir: Path | None = None, /, **settings: str) -> None:
        self._owns_directory = data_dir is None
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix="portal-product-"))
        self.tree = ROOT
        """The files of the version that is started."""
        self.before: tuple[str, ...] = ()
        """What stands before its command."""
        self.port = free_port()
        self.sandbox_port = free_port()
        self._redis: Redis | None = None
        self.environment = {
            **clean_environment(),
            "PORTAL_EMBEDDED": "1",
            "PYTHONUNBUFFERED": "1",
            "PORTAL_DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "PORTAL_SANDBOX_PORT": str(self.sandbox_port),
            "PORTAL_BROKER_PORT": str(free_port()),
            "PORTAL_SANDBOX_SIGN_IN_PORT": str(free_port()),
            "PORTAL_WORKER_PROCESSES": "4",
            # Its lists would meet the faults that tests order for others.
            "PORTAL_INVENTORY_SECONDS": "0",
            # A session of a test is older than a person's five minutes.
            "PORTAL_STEP_UP_SECONDS": "86400",
            # One demo person asks for more tokens within a test than a person does within an hour.
            "PORTAL_REQUESTS_PER_HOUR": "100000",
            **self._production_servers(),
            **settings,
        }
        self._output = self.data_dir / "run.log"
        self._started_at = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._people: list[Person] = []

    def _begin(self) -> None:
        """On a database that is migrated, with files that are collected: a first start takes longer
        for that than for all the rest, and tests/test_make_run.py is where it is looked at."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_new = self._owns_directory and not any(self.data_dir.iterdir())
        if is_new and self.tree == ROOT and environment.STACK == "embedded":
            shutil.copytree(prepared(), self.data_dir, dirs_exist_ok=True)

    def _production_servers(self) -> dict[str, str]:
        if environment.STACK != "production":
            return {}
        self._redis = Redis()
        self._redis.start()
        return {
            "DATABASE_URL": fresh_database(environment.postgres.url),
            "CELERY_BROKER_URL": self._redis.url,
        }

    # -- Where it is ----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def sandbox(self) -> SandboxProcess:
        """The product's own sandbox, to steer: it is not this object that starts or stops it."""
        sandbox = SandboxProcess(self.data_dir)
        sandbox.port = self.sandbox_port
        found = re.search(
            r"^SANDBOX_SECRET_ACCESS_KEY=(.+)$",
            (self.data_dir / "portal.env").read_text(),
            re.MULTILINE,
        )
        if found is None:
            raise RuntimeError("the product has written no credentials for its sandbox")
        sandbox.secret_key = found[1]
        return sandbox

    @property
    def password(self) -> str:
        """The demo people's password, as the product printed it."""
        found = PASSWORD.search(self.log())
        if found is None:
            raise RuntimeError(f"no password was printed:\n{self.log()}")
        return found[1]

    def log(self) -> str:
        """What it has printed since it was last started."""
        if not self._output.exists():
            return ""
        return self._output.read_bytes()[self._started_at :].decode(errors="replace")

    def sign_in(self, email: str) -> Person:
        person = Person(self.url)
        self._people.append(person)
        person.sign_in(email, self.password)
        return person

    # -- Starting and stopping ------------------------------------------------------------------

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start it without waiting for anything."""
        self._begin()
        self._started_at = self._output.stat().st_size if self._output.exists() else 0
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                (*self.before, *COMMAND),
                cwd=self.tree,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self._process

    def start(self) -> Self:
        """Start it and wait until it says that it runs."""
        process = self.launch()
        if not within(START_SECONDS, lambda: self._runs() or process.poll() is not None):
            self.stop()
        if not self._runs() or process.poll() is not None:
            raise RuntimeError(f"the product did not start:\n{self.log()}")
        return self

    def _runs(self) -> bool:
        return LAST_WORDS_OF_A_START in self.log()

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does, and wait; returns its exit status.

        What it has left behind still runs then: see ``processes`` and ``end_leftovers``.
        """
        while self._people:
            self._people.pop().http.close()
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def end_leftovers(self) -> None:
        """End by force whatever still runs."""
        for one in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)

    def close(self) -> None:
        """Stop it, whatever state it is in, and clear away what it leaves."""
        try:
            self.stop()
        finally:
            self.end_leftovers()
            if self._redis is not None:
                self._redis.stop()
            if self._owns_directory:
                shutil.rmtree(self.data_dir, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- Its processes --------------------------------------------------------------------------

    def processes(self) -> list[Running]:
        """Every process of it that runs, orphans included.

        All inherit its PORTAL_DATA_DIR, but for the broker, which overwrites its environment with a
        title and works in that directory.
        """
        mark = f"PORTAL_DATA_DIR={self.data_dir}".encode()
        broker = self.data_dir.resolve() / "broker"
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            # A process may end, and its files vanish, at any moment.
            with contextlib.suppress(OSError):
                inherited = (directory / "environ").read_bytes().split(b"\0")
                if mark not in inherited and (directory / "cwd").readlink() != broker:
                    continue
                command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                state, parent = (directory / "stat").read_text().rpartition(")")[2].split()[:2]
                name = next((name for part, name in WHO_IS_WHO.items() if part in command), "")
                if name and state != "Z":
                    found.append(Running(int(directory.name), int(parent), name))
        return sorted(found, key=lambda one: one.pid)

    def pids(self, name: str) -> set[int]:
        """The ids of all processes of this name: a master and its children."""
        return {one.pid for one in self.processes() if one.name == name}

    def master(self, name: str) -> int:
        """The id of the process of this name that the product itself has started."""
        running = self.processes()
        runs = {one.pid for one in running if one.name == "run"}
        found = [
            one.pid for one in running if one.name == name and (name == "run" or one.parent in runs)
        ]
        if len(found) != 1:
            raise RuntimeError(f"{len(found)} processes {name} were started: {running}")
        return found[0]

    def kill(self, name: str) -> int:
        """End the process of this name as a crash does: SIGKILL; returns its id."""
        pid = self.master(name)
        os.kill(pid, signal.SIGKILL)
        return pid


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether the condition holds before the time is over; asked again and again."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def fresh_database(url: str) -> str:
    """Make an empty database in the cluster of ``url``; returns its own URL."""
    name = f"product_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
