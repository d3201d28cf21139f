"""What monitors and load balancers are told."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings as portal_settings
from django.db.models import F
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.flows.sync_catalog import SYNC_SECONDS
from portal.models import Clock, Connection, Heartbeat, State, Token, User, Workspace
from portal.valkey import Server
from tests.product import run_python
from tests.servers import Redis, free_port

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
@pytest.mark.parametrize("kind", ["worker", "scheduler"])
def test_readyz_names_who_has_been_silent_for_a_minute(monitor: Client, kind: str) -> None:
    Heartbeat.objects.filter(kind=kind).update(at=timezone.now() - timedelta(seconds=61))
    answer = monitor.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded", "degraded": [kind]})


@pytest.mark.usefixtures("all_alive")
def test_readyz_names_aws_when_it_was_not_heard_of_for_longer_than_a_quiet_time(
    monitor: Client,
) -> None:
    Heartbeat.objects.filter(kind="aws").update(at=timezone.now() - timedelta(seconds=310))
    assert monitor.get("/readyz").json()["degraded"] == []
    Heartbeat.objects.filter(kind="aws").update(at=timezone.now() - timedelta(seconds=421))
    assert monitor.get("/readyz").json()["degraded"] == ["aws"]


@pytest.mark.usefixtures("all_alive", "catalog")
@pytest.mark.parametrize(
    ("code", "degraded"), [("NoAnswer", ["aws", "catalog"]), ("NotSent", ["aws", "catalog"])]
)
def test_readyz_names_aws_after_a_minute_when_it_was_asked_in_vain(
    monitor: Client, code: str, degraded: list[str]
) -> None:
    Connection.objects.update(unread_since=timezone.now(), unread_code=code)
    assert monitor.get("/readyz").json()["degraded"] == ["catalog"]
    Heartbeat.objects.filter(kind="aws").update(at=timezone.now() - timedelta(seconds=61))
    assert monitor.get("/readyz").json()["degraded"] == degraded


@pytest.mark.usefixtures("all_alive", "catalog")
@pytest.mark.parametrize("model", [Connection, Workspace])
def test_readyz_names_the_catalog_while_a_part_of_it_could_not_be_read(
    monitor: Client, model: type[Connection] | type[Workspace]
) -> None:
    row = model._default_manager.order_by("pk")[0]
    row.unread_since, row.unread_code = timezone.now(), "AccessDeniedException"
    row.save()
    Heartbeat.objects.filter(kind="aws").update(at=timezone.now() - timedelta(seconds=310))
    answer = monitor.get("/readyz")
    assert (answer.status_code, answer.json()["degraded"]) == (200, ["catalog"])
    assert "portal_catalog_unread 1.0" in monitor.get("/metrics").content.decode().splitlines()


@pytest.mark.usefixtures("all_alive", "catalog")
def test_a_workspace_that_is_gone_need_not_be_read(monitor: Client) -> None:
    Workspace.objects.update(unread_since=timezone.now(), gone_at=timezone.now())
    assert monitor.get("/readyz").json()["degraded"] == []


@pytest.mark.usefixtures("all_alive")
def test_an_hour_in_which_nobody_asks_for_a_token_is_no_trouble(monitor: Client) -> None:
    """What there is to hear of AWS then is one reading of the catalog in five minutes."""
    step = 15
    for second in range(0, 3600, step):
        # The clock goes on for everybody: what was said was said so much earlier.
        Heartbeat.objects.update(at=F("at") - timedelta(seconds=step))
        Heartbeat.beat("worker")
        Heartbeat.beat("scheduler")
        # A reading that takes a minute is heard of when it ends.
        if second % int(SYNC_SECONDS) == 60:
            Heartbeat.beat("aws")
        assert monitor.get("/readyz").json() == {"status": "ok", "degraded": []}, second


@pytest.mark.usefixtures("all_alive")
def test_readyz_names_the_mail_server_until_it_takes_a_mail_again(monitor: Client) -> None:
    Heartbeat.beat("mail")
    assert monitor.get("/readyz").json()["degraded"] == []
    Heartbeat.objects.create(kind="mail_trouble", at=timezone.now() + timedelta(seconds=1))
    answer = monitor.get("/readyz")
    assert (answer.status_code, answer.json()["degraded"]) == (200, ["mail"])
    Heartbeat.objects.filter(kind="mail").update(at=timezone.now() + timedelta(seconds=2))
    assert monitor.get("/readyz").json()["degraded"] == []


@pytest.mark.usefixtures("all_alive")
@pytest.mark.parametrize("ahead", [-10_800.0, 90.0])
def test_readyz_names_a_clock_that_is_off(monitor: Client, ahead: float) -> None:
    now = timezone.now()
    # The database's, and so this process's too on SQLite; or that of a host with workers.
    row = Clock.objects.create(whose="workers-1", ahead=ahead, at=now, off_since=now)
    answer = monitor.get("/readyz")
    assert (answer.status_code, answer.json()["degraded"]) == (200, ["clock"])
    row.delete()
    Clock.objects.create(whose=Clock.DATABASE, ahead=ahead, at=now, off_since=now)
    assert monitor.get("/readyz").json()["degraded"] == ["clock"]
    Clock.objects.update(ahead=0.3, off_since=None)
    assert monitor.get("/readyz").json()["degraded"] == []


def test_readyz_names_what_was_never_heard_of(monitor: Client) -> None:
    assert monitor.get("/readyz").json()["degraded"] == ["worker", "scheduler", "aws"]


@pytest.mark.usefixtures("all_alive")
def test_readyz_names_the_broker(monitor: Client, settings: Settings) -> None:
    settings.BROKER = Server.parse(f"redis://127.0.0.1:{free_port()}/0")
    answer = monitor.get("/readyz")
    assert (answer.status_code, answer.json()["degraded"]) == (200, ["broker"])


@pytest.mark.usefixtures("all_alive")
def test_readyz_names_a_cache_of_its_own(monitor: Client, settings: Settings) -> None:
    settings.CACHE = Server.parse(f"redis://127.0.0.1:{free_port()}/0")
    answer = monitor.get("/readyz")
    assert (answer.status_code, answer.json()["degraded"]) == (200, ["cache"])


@pytest.mark.usefixtures("all_alive")
def test_readyz_asks_servers_to_write_because_a_replica_answers_and_takes_nothing(
    monitor: Client, settings: Settings
) -> None:
    primary, replica = Redis(), Redis()
    try:
        for server in (primary, replica):
            server.start()
        with redis.Redis.from_url(replica.url) as client:
            client.replicaof("127.0.0.1", primary.port)
        settings.BROKER = Server.parse(replica.url)
        assert monitor.get("/readyz").json()["degraded"] == ["broker"]
        with redis.Redis.from_url(replica.url) as client:
            client.replicaof("NO", "ONE")
        assert monitor.get("/readyz").json()["degraded"] == []
    finally:
        replica.stop()
        primary.stop()


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
    "page": [page.status_code, page.headers["Retry-After"], page.content.decode()],
    "status": [status.status_code, status.headers["Retry-After"], list(status.json())],
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
    assert said["status"] == [503, "5", ["message"]]
    status, retry_after, html = said["page"]
    assert (status, retry_after) == (503, "5")
    assert "Nothing is lost" in html
    assert "Traceback" not in done.stderr
    assert done.stderr.count("database.unavailable") == 1


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


PATHS = ["/metrics", "/readyz"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("10.0.3.7", 200),
        ("fd00::7", 200),
        ("100.64.0.9", 200),
        ("", 200),
        ("8.8.8.8", 403),
        ("2600::1", 403),
        ("::ffff:8.8.8.8", 403),
    ],
)
def test_without_a_token_they_are_closed_to_other_networks(
    monitor: Client, path: str, address: str, status: int
) -> None:
    assert monitor.get(path, REMOTE_ADDR=address).status_code == status
    assert monitor.get("/healthz", REMOTE_ADDR=address).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_who_comes_by_a_proxy_from_elsewhere_is_not_from_this_network(
    monitor: Client, settings: Settings, path: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    forwarded = {"x-forwarded-for": "8.8.8.8"}
    answer = monitor.get(path, headers=forwarded)
    assert answer.status_code == 403
    assert b"PORTAL_MONITOR_TOKEN opens it" in answer.content
    settings.MONITOR_TOKEN = "a token of the monitor"
    right = {"authorization": "Bearer a token of the monitor", **forwarded}
    assert monitor.get(path, headers=right).status_code == 200


@pytest.mark.usefixtures("all_alive")
@pytest.mark.parametrize("hosts", [["other.example.com"], ["http://127.0.0.1"], ["127.0.0.1:8000"]])
def test_readyz_names_hosts_that_let_nobody_in(
    monitor: Client, settings: Settings, hosts: list[str]
) -> None:
    settings.PORTAL_ORIGIN = "http://127.0.0.1:8000"
    settings.ALLOWED_HOSTS = hosts
    assert monitor.get("/readyz").json()["degraded"] == ["allowed_hosts"]
    settings.ALLOWED_HOSTS = [*hosts, "127.0.0.1"]
    assert monitor.get("/readyz").json()["degraded"] == []
