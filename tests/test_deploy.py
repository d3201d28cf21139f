"""The production deployment as deploy/ describes it: its units' own commands, on real servers.

systemd itself is not here; what it would start is, with the environment that it would give.
"""

import contextlib
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import requests

from tests.grafana.sandbox_process import PROD, SandboxProcess
from tests.person import KeyPair, Person
from tests.product import ROOT, clean_environment, within
from tests.servers import Postgres, Redis, free_port

UNITS = ROOT / "deploy" / "systemd"
PASSWORD = "correct horse battery staple"
ACCESS = """
version: 1
connections: {main: {region: eu-west-1}}
people: [{email: admin@example.com, admin: true}]
teams:
  platform:
    members: [engineer@example.com]
    grants: [{workspace: "*"}]
"""


def commands(unit: str, port: int) -> list[list[str]]:
    """What the unit starts, from this checkout and on a free port."""
    text = (UNITS / f"{unit}.service").read_text()
    binaries = str(Path(sys.executable).parent)
    found = []
    for line in re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE):
        line = line.replace("/opt/portal/.venv/bin", binaries)
        found.append(shlex.split(line.replace("127.0.0.1:8000", f"127.0.0.1:{port}")))
    assert found
    return found


@dataclass(slots=True)
class Deployment:
    port: int
    directory: Path
    environment: dict[str, str]
    owner_url: str
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *command: str, **environment: str) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manage(self, *command: str, **environment: str) -> str:
        return self.run(sys.executable, "manage.py", *command, **environment)

    def start(self, unit: str) -> None:
        [command] = commands(unit, self.port)
        with self.log(unit).open("ab") as log:
            self.running[unit] = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def log(self, unit: str) -> Path:
        return self.directory / f"{unit}.log"

    def stop(self, unit: str) -> int:
        """As KillMode=mixed does: the first process alone is asked."""
        process = self.running.pop(unit)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def children(self, unit: str) -> list[int]:
        pid = self.running[unit].pid
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def crash(self, unit: str) -> None:
        """As when its host loses power: nobody is asked, and no child is left."""
        children, process = self.children(unit), self.running.pop(unit)
        for pid in (process.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def degraded(self) -> list[str]:
        try:
            answer = requests.get(f"{self.url}/readyz", timeout=5)
        except requests.ConnectionError:
            return ["web"]
        degraded: list[str] = answer.json()["degraded"]
        return degraded


TOLD = {
    "portal-migrate": ["portal.env", "owner.env"],
    "portal-web": ["portal.env", "-web.env"],
    "portal-worker": ["portal.env", "-aws.env"],
    "portal-scheduler": ["portal.env", "-aws.env"],
}


@pytest.mark.parametrize("unit", TOLD)
def test_each_process_is_told_what_it_needs_and_no_more(unit: str) -> None:
    text = (UNITS / f"{unit}.service").read_text()
    files = re.findall(r"^EnvironmentFile=(.+)$", text, re.MULTILINE)
    assert [file.replace("/etc/portal/", "") for file in files] == TOLD[unit]


def test_what_all_are_told_names_no_secret_of_one_of_them() -> None:
    names = re.findall(r"^([A-Z_]+)=", (ROOT / "deploy" / "portal.env.example").read_text(), re.M)
    assert len(names) == len(set(names))
    assert [name for name in names if name.startswith("AWS_")] == ["AWS_REGION"]
    assert "PORTAL_MONITOR_TOKEN" not in names


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """Installed as docs/OPERATIONS.md says, and started."""
    # Not pytest's own directory, which PostgreSQL's user can't reach.
    directory = Path(tempfile.mkdtemp(prefix="portal-deployment-"))
    postgres, redis = Postgres(directory), Redis()
    postgres.start()
    redis.start()
    port = free_port()
    with psycopg.connect(postgres.url, autocommit=True) as database:
        database.execute("CREATE ROLE portal_owner LOGIN")
        database.execute("CREATE ROLE portal_runtime LOGIN")
        database.execute("CREATE DATABASE tokens OWNER portal_owner")
    as_role = f"postgres://{{}}@127.0.0.1:{postgres.port}/tokens"
    with SandboxProcess(directory) as sandbox:
        deployment = Deployment(
            port,
            directory,
            {
                **clean_environment(),
                **sandbox.environment,
                "DATABASE_URL": as_role.format("portal_runtime"),
                "CELERY_BROKER_URL": redis.url,
                "EMAIL_URL": f"filemail://{directory}/mails",
                "SECRET_KEY": secrets.token_urlsafe(48),
                "AUDIT_KEY": secrets.token_urlsafe(48),
                "PORTAL_ORIGIN": f"http://127.0.0.1:{port}",
                "ALLOWED_HOSTS": "127.0.0.1",
                "PORTAL_STATIC_ROOT": str(directory / "static"),
                "PORTAL_DATA_DIR": str(directory / "not-there"),
                "PORTAL_WORKER_PROCESSES": "2",
            },
            as_role.format("portal_owner"),
        )
        try:
            for command in commands("portal-migrate", port):
                deployment.run(*command, DATABASE_URL=deployment.owner_url)
            with psycopg.connect(deployment.owner_url) as database:
                database.execute((ROOT / "deploy" / "postgresql_runtime_role.sql").read_bytes())
            for unit in ("portal-web", "portal-worker", "portal-scheduler"):
                deployment.start(unit)
            yield deployment
        finally:
            for unit in list(deployment.running):
                deployment.stop(unit)
            redis.stop()
            postgres.stop()
    shutil.rmtree(directory, ignore_errors=True)


def logs(deployment: Deployment) -> str:
    return "\n".join(path.read_text() for path in deployment.directory.glob("*.log"))


def use(invitation: str) -> None:
    """Set the password that a link of ``invite`` asks for, as a browser does."""
    with requests.Session() as browser:
        page = browser.get(invitation, timeout=10)
        assert page.status_code == 200
        fields = {
            "password1": PASSWORD,
            "password2": PASSWORD,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        assert browser.post(invitation, fields, timeout=10).url.endswith("/accounts/login/")


def test_a_person_gets_a_key_that_works(deployment: Deployment) -> None:
    access = deployment.directory / "access.yml"
    access.write_text(ACCESS)
    deployment.manage("apply_access", str(access))
    use(deployment.manage("invite", "engineer@example.com").strip())
    assert within(60, lambda: deployment.degraded() == []), (
        deployment.degraded(),
        logs(deployment),
    )
    person, keys = Person(deployment.url), KeyPair()
    person.sign_in("engineer@example.com", PASSWORD)
    token = person.request(
        keys, workspace=PROD, service_account="2", name="ci", seconds_to_live="3600"
    )
    key = person.take(keys, token)
    org = requests.get(
        f"{deployment.environment['AWS_ENDPOINT_URL_GRAFANA']}/api/org",
        headers={"Authorization": f"Bearer {key}"},
        timeout=10,
    )
    assert org.status_code == 200
    assert "intact" in deployment.manage("verify_audit")
    assert not (deployment.directory / "not-there").exists(), "production writes no data directory"
    assert key not in logs(deployment)


CALLED = 'portal_aws_calls_total{code="200",operation="CreateWorkspaceServiceAccountToken"} 1.0'
FORBIDDEN = 'portal_refusals_total{kind="forbidden"} 1.0'
DELIVERED = 'portal_requests_total{outcome="delivered"} 1.0'


def test_the_web_tells_what_the_workers_have_seen_and_so_it_does_after_both_were_killed(
    deployment: Deployment,
) -> None:
    def tells(*lines: str) -> bool:
        said = requests.get(f"{deployment.url}/metrics", timeout=5).text.splitlines()
        return set(lines) <= set(said)

    assert tells(DELIVERED)
    assert requests.get(f"{deployment.url}/scim/v2/Users", timeout=5).status_code == 404
    assert requests.post(f"{deployment.url}/accounts/login/", timeout=5).status_code == 403
    assert within(15, lambda: tells(CALLED, DELIVERED, FORBIDDEN))
    for unit in ("portal-web", "portal-worker"):
        deployment.crash(unit)
        deployment.start(unit)
    assert within(60, lambda: deployment.degraded() != ["web"])
    assert tells(CALLED, DELIVERED, FORBIDDEN)


PAGES = (
    *("/tokens/", "/tokens/new/", "/team/", "/team/platform/", "/inventory/"),
    *("/audit/", "/audit/charts/", "/audit/export.csv", "/audit/export.jsonl", "/accounts/login/"),
    *("/accounts/2fa/", "/accounts/sessions/", "/accounts/password/change/"),
    *("/admin/", "/admin/portal/team/", "/admin/portal/user/", "/admin/portal/grant/"),
    *("/admin/portal/token/", "/admin/portal/auditevent/", "/metrics", "/readyz"),
)


def test_whatever_people_and_operators_do_the_role_has_the_rights_for_it(
    deployment: Deployment,
) -> None:
    """Sign-in, wrong passwords, a second factor, every page, admin, reissue, revocation, sweep,
    access, catalog."""
    access = deployment.directory / "access.yml"
    access.write_text(ACCESS.replace("members:", "leads: [admin@example.com]\n    members:"))
    deployment.manage("apply_access", str(access))
    use(deployment.manage("invite", "admin@example.com").strip())
    admin, engineer, keys = Person(deployment.url), Person(deployment.url), KeyPair()
    with pytest.raises(AssertionError, match="answered 200"):
        engineer.sign_in("engineer@example.com", "a wrong password, and a long one")
    engineer.sign_in("engineer@example.com", PASSWORD)
    admin.sign_in("admin@example.com", PASSWORD)
    for page in PAGES:
        assert admin.get(page).status_code in (200, 302), page
    rows = {
        f"{rows}-{what}_FORMS": "0"
        for rows in ("memberships", "grants")
        for what in ("TOTAL", "INITIAL")
    }
    assert admin.post("/accounts/sessions/").status_code == 302
    team = {"slug": "web", "name": "Web", "on_leaving": "keep", **rows}
    added = admin.post("/admin/portal/team/add/", **team)
    assert (added.status_code, added.headers.get("Location")) == (302, "/admin/portal/team/")

    fields = {"workspace": PROD, "service_account": "2", "seconds_to_live": "3600"}
    token = engineer.request(keys, name="ci-2", **fields)
    engineer.take(keys, token)
    again = KeyPair()
    reissued = engineer.post(
        f"/tokens/{token}/reissue/",
        **{"mode": "replace", "recipient": "me", "reason": "lost", "seconds_to_live": "3600"},
        public_key=again.public,
    )
    assert reissued.status_code == 302, reissued.text
    new = reissued.headers["Location"].split("/")[2]
    engineer.take(again, new)
    assert admin.post(f"/tokens/{new}/revoke/", reason="over").status_code == 302
    states = [f"/tokens/{one}/status/" for one in (token, new)]
    assert within(30, lambda: {engineer.get(at).json()["state"] for at in states} == {"revoked"})
    deployment.manage("sweep")
    deployment.manage("sync_catalog")
    access.write_text(ACCESS.replace("engineer@example.com", "teammate@example.com"))
    deployment.manage("apply_access", str(access))
    assert engineer.get("/tokens/").status_code in (200, 302)
    assert "intact" in deployment.manage("verify_audit")
    assert "permission denied" not in logs(deployment)


def test_what_runs_can_neither_change_the_log_nor_take_its_triggers_down(
    deployment: Deployment,
) -> None:
    refused = [
        "UPDATE portal_auditevent SET actor = 'nobody'",
        "DELETE FROM portal_auditevent",
        "TRUNCATE portal_auditevent",
        "DELETE FROM portal_audithead",
        "ALTER TABLE portal_auditevent DISABLE TRIGGER ALL",
        "DROP TRIGGER portal_audit_append_only ON portal_auditevent",
        "DROP TABLE portal_auditevent",
        "CREATE FUNCTION portal_audit_refuse(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "SET session_replication_role = replica",
    ]
    for statement in refused:
        with (
            psycopg.connect(deployment.environment["DATABASE_URL"]) as database,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            database.execute(statement)


def test_every_line_of_every_log_is_one_json_event(deployment: Deployment) -> None:
    assert within(30, lambda: "request_finished" in deployment.log("portal-web").read_text())
    for unit in ("portal-web", "portal-worker", "portal-scheduler"):
        for line in deployment.log(unit).read_text().splitlines():
            assert json.loads(line)["timestamp"], (unit, line)


def test_each_of_them_stops_when_asked(deployment: Deployment) -> None:
    children = {unit: deployment.children(unit) for unit in deployment.running}
    for unit in list(deployment.running):
        assert deployment.stop(unit) == 0, deployment.log(unit).read_text()
    for unit, pids in children.items():
        assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == [], unit
