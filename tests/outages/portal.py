"""The real web server on a PostgreSQL of its own, which a test may restart, stop or fill."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import requests

from tests.person import KeyPair, Person
from tests.product import ROOT, clean_environment, run_python, within
from tests.servers import Postgres, Redis, free_port

FIRST_PEOPLE = """
import json, time
import django
django.setup()
from django.test import Client
from portal.models import Connection, Grant, Membership, ServiceAccount, Team, User, Workspace

team = Team.objects.create(slug="platform", name="Platform")
connection = Connection.objects.create(name="main")
workspace = Workspace.objects.create(
    connection=connection, aws_id="g-00000000a1", name="observability", status="ACTIVE",
    endpoint="g-00000000a1.grafana-workspace.eu-west-1.amazonaws.com", grafana_version="10.4",
)
ServiceAccount.objects.create(
    workspace=workspace, aws_id="2", name="deployer", grafana_role="EDITOR"
)
Grant.objects.create(team=team, workspace=workspace, max_ttl=86_400 * 30, max_live=None)
sessions = []
for number in range(6):
    user = User.objects.create_user(f"engineer-{number}@example.com", "correct horse battery")
    Membership.objects.create(user=user, team=team)
    client = Client()
    client.force_login(user)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    sessions.append(client.cookies["sessionid"].value)
print(json.dumps(sessions))
"""
WEB_PROCESSES = 4
FIELDS = {"workspace": "g-00000000a1", "service_account": "2", "seconds_to_live": "3600"}


def events(log: Path) -> list[dict[str, Any]]:
    """What is in the log of a process."""
    return [json.loads(line) for line in log.read_text().splitlines()]


class Portal:
    """gunicorn with the configuration of production. Nothing issues tokens: they stay queued.

    ``sql`` prepares the empty database. ``database_url`` is what the web server connects to, where
    a test puts something between.
    """

    def __init__(self, *sql: str, **settings: str) -> None:
        # Not pytest's own directory, which PostgreSQL's user can't reach.
        self.directory = Path(tempfile.mkdtemp(prefix="portal-outage-"))
        self.postgres = Postgres(self.directory)
        self.redis = Redis()
        self.keys = KeyPair()
        self.people: list[Person] = []
        self._port = free_port()
        self.database_url = ""
        self._first = sql
        self._settings = settings
        self._web: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url or self.postgres.url,
            "CELERY_BROKER_URL": self.redis.url,
            "EMAIL_URL": f"filemail://{self.directory}/mails",
            "SECRET_KEY": "a secret key of these tests alone, 1234",
            "AUDIT_KEY": "an audit key of these tests alone, 1234",
            "PORTAL_ORIGIN": self.url,
            "ALLOWED_HOSTS": "127.0.0.1,testserver",
            "PORTAL_STATIC_ROOT": str(self.directory / "static"),
            "AWS_REGION": "eu-west-1",
            "PORTAL_TOKEN_QUOTA": "100000",
            "PORTAL_RATE_LIMITS": "off",
            "PORTAL_STEP_UP_SECONDS": "86400",
            **self._settings,
        }

    def manage(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of manage.py as the web server would."""
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env={**clean_environment(), **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def python(self, code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return run_python(code, **{**self.environment, **environment})

    @contextlib.contextmanager
    def process(self, *command: str) -> Iterator[Path]:
        """Another process of the portal, such as a worker, and the file of its log.

        It must still run at the end, whatever has happened.
        """
        log_file = self.directory / f"{command[0]}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / command[0]), *command[1:]],
                cwd=ROOT,
                env={**clean_environment(), **self.environment},
                stdout=log,
                stderr=log,
            )
        try:
            yield log_file
            assert process.poll() is None, log_file.read_text()
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start_web(self) -> None:
        begin = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self._web = subprocess.Popen(
                [
                    *(str(Path(sys.executable).parent / "gunicorn"), "--bind"),
                    *(f"127.0.0.1:{self._port}", "--config"),
                    str(ROOT / "deploy" / "gunicorn.conf.py"),
                ],
                cwd=ROOT,
                env={**clean_environment(), **self.environment},
                stdout=log,
                stderr=log,
            )
        assert within(60, lambda: self._have_booted(begin)), self.log_file.read_text()
        assert within(60, self._answers), self.log_file.read_text()

    def _have_booted(self, begin: int) -> bool:
        """All of them, so that nothing about their start comes after ``forget_log``."""
        log = self.log_file.read_bytes()[begin:]
        return log.count(b"Booting worker") == WEB_PROCESSES

    def stop_web(self) -> None:
        web, self._web = self._web, None
        if web is not None:
            web.terminate()
            try:
                web.wait(40)
            except subprocess.TimeoutExpired:
                web.kill()
                web.wait()

    def _answers(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        return False

    # -- What it says ---------------------------------------------------------------------------

    @property
    def log_file(self) -> Path:
        return self.directory / "web.log"

    def events(self) -> list[dict[str, Any]]:
        """What the web server has logged, but for one event a request."""
        return [one for one in events(self.log_file) if one["event"] != "request_finished"]

    def forget_log(self) -> None:
        self.log_file.write_text("")

    def readyz(self) -> tuple[int, list[str]]:
        answer = requests.get(f"{self.url}/readyz", timeout=30)
        return answer.status_code, answer.json()["degraded"]

    # -- What is in the database ----------------------------------------------------------------

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as database:
            database.execute(statement)

    def rows(self, prefix: str) -> list[str]:
        """The names of tokens that begin so, a row each."""
        with psycopg.connect(self.postgres.url) as database:
            found = database.execute(
                "SELECT name FROM portal_token WHERE starts_with(name, %s)", [prefix]
            )
            return [name for (name,) in found]

    # -- What people do -------------------------------------------------------------------------

    def send_form(self, person: Person, name: str, **fields: str) -> requests.Response:
        return person.post(
            "/tokens/new/", public_key=self.keys.public, name=name, **FIELDS, **fields
        )

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self) -> None:
        self.postgres.start()
        self.redis.start()
        for statement in self._first:
            self.sql(statement)
        # As the owner, and straight: whatever stands between is for what serves people.
        straight = {"DATABASE_URL": self.postgres.url}
        for command in (("migrate", "--no-input"), ("collectstatic", "--no-input")):
            done = self.manage(*command, **straight)
            assert done.returncode == 0, done.stderr
        done = self.python(FIRST_PEOPLE, **straight)
        assert done.returncode == 0, done.stderr
        self.start_web()
        for session in json.loads(done.stdout.splitlines()[-1]):
            person = Person(self.url)
            person.http.cookies.set("sessionid", session)
            page = person.get("/tokens/new/").text
            person.csrf = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
            self.people.append(person)
        self.forget_log()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        for person in self.people:
            person.http.close()
        self.stop_web()
        self.redis.stop()
        self.postgres.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
