"""An installation for production, rolled from one version to the next, process by process."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import requests

from tests.grafana.sandbox_process import SandboxProcess
from tests.person import Person
from tests.product import ROOT, clean_environment, within
from tests.servers import Postgres, Redis, free_port

BEFORE = "e551cae"
"""The last commit of the version before."""
PASSWORD = "correct horse battery staple"
ACCESS_FILE = """
version: 1
connections:
  main: {region: eu-west-1}
people:
  - {email: admin@example.com, admin: true, auditor: true}
teams:
  platform:
    leads: [lead@example.com]
    members: [engineer@example.com, teammate@example.com]
    grants:
      - {workspace: "*", service_accounts: ["*"], max_ttl: 30d, approval: admin-role}
"""
SET_PASSWORDS = f"""
from portal.models import User
for user in User.objects.all():
    user.set_password({PASSWORD!r})
    user.save()
"""
BIN = Path(sys.executable).parent


def commit_tree(commit: str, directory: Path) -> Path:
    """The files of a commit, in a directory of their own."""
    tree = directory / commit
    tree.mkdir()
    archive = subprocess.run(
        ["git", "archive", commit], cwd=ROOT, check=True, capture_output=True, timeout=60
    )
    subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True, timeout=60)
    return tree


class Installation:
    """PostgreSQL, Redis and AWS's stand-in, and the processes of either version on them."""

    def __init__(self) -> None:
        # Not pytest's own directory, which PostgreSQL's user can't reach.
        self.directory = Path(tempfile.mkdtemp(prefix="portal-upgrade-"))
        self.postgres = Postgres(self.directory)
        self.redis = Redis()
        self.aws = SandboxProcess(self.directory)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: dict[str, int] = {}

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.aws.environment,
            "PORTAL_GRAFANA": "aws",
            "DATABASE_URL": self.postgres.url,
            "CELERY_BROKER_URL": self.redis.url,
            "EMAIL_URL": f"filemail://{self.directory}/mails",
            "SECRET_KEY": "a secret key of these tests alone, 1234",
            "AUDIT_KEY": "an audit key of these tests alone, 1234",
            "PORTAL_ORIGIN": "http://127.0.0.1",
            "ALLOWED_HOSTS": "127.0.0.1",
            "PORTAL_STATIC_ROOT": str(self.directory / "static"),
            "PORTAL_WORKER_PROCESSES": "2",
        }

    def _environment_of(self, name: str) -> dict[str, str]:
        port = self._ports.get(name)
        origin = {"PORTAL_ORIGIN": f"http://127.0.0.1:{port}"} if port else {}
        static = {"PORTAL_STATIC_ROOT": str(self.directory / f"static-{name}")}
        return {**clean_environment(), **self.environment, **origin, **static}

    # -- Commands -------------------------------------------------------------------------------

    def manage(self, tree: Path, *command: str) -> str:
        """Run a command of manage.py of a version; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=tree,
            env={**clean_environment(), **self.environment},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def apply_access_of_before(self, tree: Path) -> None:
        """That version reads the catalog of a connection that it knows already."""
        self.apply_access(tree, ACCESS_FILE.partition("teams:")[0] + "teams: {}\n")
        self.manage(tree, "sync_catalog")
        self.apply_access(tree)

    def apply_access(self, tree: Path, text: str = ACCESS_FILE) -> str:
        file = self.directory / "access.yml"
        file.write_text(text)
        return self.manage(tree, "apply_access", str(file))

    # -- Processes ------------------------------------------------------------------------------

    def start(self, tree: Path, name: str, *command: str) -> None:
        """Start a process of a version; ``name`` is unique among those that run."""
        log = (self.directory / f"{name}.log").open("ab")
        with log:
            self._running[name] = subprocess.Popen(
                command, cwd=tree, env=self._environment_of(name), stdout=log, stderr=log
            )

    def start_web(self, tree: Path, name: str) -> str:
        """Start a web server; returns its URL."""
        port = self._ports[name] = free_port()
        done = subprocess.run(
            [sys.executable, "manage.py", "collectstatic", "--no-input", "-v", "0"],
            cwd=tree,
            env=self._environment_of(name),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        configuration = str(tree / "deploy" / "gunicorn.conf.py")
        bind = f"127.0.0.1:{port}"
        self.start(tree, name, str(BIN / "gunicorn"), "--bind", bind, "--config", configuration)
        assert within(60, lambda: self._answers(port)), self.log(name)
        return f"http://127.0.0.1:{port}"

    def start_worker(self, tree: Path, name: str) -> None:
        self.start(tree, name, str(BIN / "celery"), "-A", "portal", "worker")

    def start_scheduler(self, tree: Path, name: str) -> None:
        self.start(tree, name, sys.executable, "manage.py", "sweep", "--every", "1")

    def stop(self, *names: str) -> None:
        for name in names:
            self._running[name].terminate()
        for name in names:
            process = self._running.pop(name)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text()

    def _answers(self, port: int) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            url = f"http://127.0.0.1:{port}/healthz"
            return requests.get(url, timeout=5).status_code == 200
        return False

    # -- People and rows ------------------------------------------------------------------------

    def sign_in(self, url: str, who: str) -> Person:
        person = Person(url)
        person.sign_in(f"{who}@example.com", PASSWORD)
        return person

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url, autocommit=True) as database:
            return database.execute(sql, parameters).fetchall()

    def state(self, token_id: str) -> str:
        [(state,)] = self.rows("SELECT state FROM portal_token WHERE id = %s", token_id)
        return str(state)

    def becomes(self, token_id: str, *states: str, seconds: float = 30) -> bool:
        return within(seconds, lambda: self.state(token_id) in states)

    # -- Begin and end --------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.postgres.start()
            self.redis.start()
            self.aws.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.stop(*list(self._running))
        self.aws.stop()
        self.redis.stop()
        self.postgres.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
