"""What monitors and load balancers are told."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as portal_settings
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.models import Heartbeat, State, Token, User
from tests.product import run_python
from tests.servers import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def monitor() -> Client:
    return Client()


@pytest.fixture
def all_alive(db: None) -> None:
    for kind in ("worker", "scheduler", "aws"):
        Heartbeat.beat(kind)


def test_healthz_says_that_the_process_answers(monitor: Client) -> None:
    answer = monitor.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert monitor.head("/healthz").status_code == 200
    assert monitor.post("/healthz").status_code == 405


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_load_balancer_may_call_by_a_machines_address(path: str) -> None:
    """It knows no name of the portal, and these pages depend on none."""
    assert Client(headers={"host": "10.0.3.7:8000"}).get(path).status_code == 200


@pytest.mark.django_db(databases=[])
def test_healthz_asks_no_database(monitor: Client) -> None:
    assert monitor.get("/healthz").status_code == 200


@pytest.mark.usefixtures("all_alive")
def test_readyz_is_ok_when_everything_is(monitor: Client) -> None:
    answer = monitor.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "degraded": []})


@pytest.mark.usefixtures("all_alive")
@pytest.mark.parametrize("kind", ["worker", "scheduler", "aws"])
def test_readyz_names_who_has_been_silent_for_a_minute(monitor: Client, kind: str) -> None:
    Heartbeat.objects.filter(kind=kind).update(at=timezone.now() - timedelta(seconds=61))
    answer = monitor.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded", "degraded": [kind]})


@pytest.mark.usefixtures("all_alive")
def test_readyz_names_the_mail_server_until_it_takes_a_mail_again(monitor: Client) -> None:
    Heartbeat.beat("mail")
    assert monitor.get("/readyz").json()["degraded"] == []
    Heartbeat.objects.create(kind="mail_trouble", at=timezone.now() + timedelta(seconds=1))
    answer = monitor.get("/readyz")
    assert (answer.status_code, answer.json()["degraded"]) == (200, ["mail"])
    Heartbeat.objects.filter(kind="mail").update(at=timezone.now() + timedelta(seconds=2))
    assert monitor.get("/readyz").json()["degraded"] == []


def test_readyz_names_what_was_never_heard_of(monitor: Client) -> None:
    assert monitor.get("/readyz").json()["degraded"] == ["worker", "scheduler", "aws"]


@pytest.mark.usefixtures("all_alive")
def test_readyz_names_the_broker(monitor: Client, settings: Settings) -> None:
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"
    answer = monitor.get("/readyz")
    assert (answer.status_code, answer.json()["degraded"]) == (200, ["broker"])


WITHOUT_DATABASE = """
import json, django
django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
client.cookies["sessionid"] = "somebody's"
ready, alive, page = client.get("/readyz"), client.get("/healthz"), client.get("/tokens/")
status = client.get("/tokens/00000000-0000-4000-8000-000000000000/status/")
print(json.dumps({
    "readyz": [ready.status_code, ready.json()],
    "healthz": alive.status_code,
    "page": [page.status_code, page.content.decode()],
    "status": [status.status_code, list(status.json())],
}))
"""


def test_without_the_database_readyz_answers_503_and_pages_say_so(tmp_path: Path) -> None:
    done = run_python(
        WITHOUT_DATABASE,
        tmp_path,
        PORTAL_EMBEDDED="1",
        ALLOWED_HOSTS="testserver",
        PORTAL_STATIC_ROOT=str(portal_settings.STATIC_ROOT),
        DATABASE_URL=f"sqlite:///{tmp_path}/no/such/directory/portal.sqlite3",
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["readyz"] == [503, {"status": "unavailable", "degraded": ["database"]}]
    assert said["healthz"] == 200
    assert said["status"] == [500, ["message"]]
    status, html = said["page"]
    assert status == 500
    assert "Something broke on our side" in html


def test_metrics_count_tokens_and_what_waits(
    monitor: Client, make_token: Callable[..., Token], engineer: User
) -> None:
    make_token(engineer)
    make_token(engineer, state=State.ACTIVE, unresolved_since=timezone.now())
    Heartbeat.beat("worker")
    answer = monitor.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    lines = answer.content.decode().splitlines()
    assert 'portal_tokens{state="queued"} 1.0' in lines
    assert 'portal_tokens{state="active"} 1.0' in lines
    assert 'portal_tokens{state="failed"} 0.0' in lines
    assert "portal_unresolved 1.0" in lines
    assert any(line.startswith('portal_last_heard_seconds{kind="worker"}') for line in lines)


def test_metrics_name_nobody(
    monitor: Client, make_token: Callable[..., Token], engineer: User
) -> None:
    token = make_token(engineer)
    said = monitor.get("/metrics").content.decode()
    assert token.name not in said
    assert "example.com" not in said


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_they_may_be_bound_to_a_token(monitor: Client, settings: Settings, path: str) -> None:
    settings.MONITOR_TOKEN = "a token of the monitor"
    for wrong in ("", "Bearer", "Bearer another", "Basic a token of the monitor", "Bearer ü"):
        assert monitor.get(path, headers={"authorization": wrong}).status_code == 401
    right = {"authorization": "Bearer a token of the monitor"}
    assert monitor.get(path, headers=right).status_code == 200
    assert monitor.get("/healthz").status_code == 200
