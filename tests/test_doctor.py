"""`manage.py doctor` says what is missing and how to mend it; each part is broken here in turn."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from portal.doctor import (
    Finding,
    State,
    of_edge,
    of_machine,
    of_provider,
    of_servers,
    of_settings,
)
from portal.doctor.report import Check, Report, examine
from portal.models import Heartbeat
from portal.openid_settings import of_sandbox
from portal.saml_settings import Saml
from portal.valkey import Server
from tests.grafana.certificates import self_signed
from tests.identity_provider import ErringProvider, broken, running
from tests.product import ROOT, Product, clean_environment
from tests.saml.test_metadata import described
from tests.servers import Redis, free_port


def run(check: Callable[[Report], None]) -> list[Finding]:
    report = Report("here")
    check(report)
    return report.found


def failed(check: Callable[[Report], None]) -> list[str]:
    return [one.says for one in run(check) if one.state == State.FAILED]


def warned(check: Callable[[Report], None]) -> list[str]:
    return [one.says for one in run(check) if one.state == State.WARNING]


# -- Settings -------------------------------------------------------------------------------------


@pytest.fixture
def production(settings: Settings) -> Settings:
    """Settings that nothing is to be said against."""
    settings.PORTAL_ORIGIN = "https://tokens.example.com"
    settings.HTTPS, settings.TRUSTED_PROXIES = True, 1
    settings.ALLOWED_HOSTS = ["tokens.example.com"]
    settings.MONITOR_TOKEN = "x"
    settings.EMBEDDED = False
    settings.GRAFANA = "aws"
    settings.AUDIT_HEAD_FILE, settings.AUDIT_HEAD_MAIL = "", ["security@example.com"]
    settings.DEFAULT_FROM_EMAIL = "tokens@example.com"
    return settings


def test_settings_that_agree(production: Settings) -> None:
    assert [(one.state, one.says) for one in run(of_settings.check)] == [
        (State.OK, "nothing contradicts anything else")
    ]


@pytest.mark.parametrize(
    ("name", "value", "state", "word"),
    [
        ("ALLOWED_HOSTS", ["other.example.com"], State.FAILED, "ALLOWED_HOSTS"),
        ("TRUSTED_PROXIES", 0, State.FAILED, "PORTAL_TRUSTED_PROXIES"),
        ("HTTPS", False, State.FAILED, "PORTAL_ORIGIN"),
        ("MONITOR_TOKEN", "", State.WARNING, "/metrics"),
        ("RATE_LIMITS", False, State.WARNING, "PORTAL_RATE_LIMITS"),
        ("GRAFANA", "sandbox", State.WARNING, "PORTAL_GRAFANA"),
        ("AUDIT_HEAD_MAIL", [], State.WARNING, "head"),
        ("AUDIT_HEAD_FILE", "/no/such/folder/heads", State.FAILED, "PORTAL_AUDIT_HEAD_FILE"),
        ("PASSWORD_SIGN_IN", False, State.FAILED, "nobody can sign in"),
        ("DEFAULT_FROM_EMAIL", "portal@localhost", State.WARNING, "portal@localhost"),
    ],
)
def test_a_setting_that_contradicts_another_is_named(
    production: Settings, name: str, value: object, state: State, word: str
) -> None:
    setattr(production, name, value)
    [finding] = run(of_settings.check)
    assert finding.state == state
    assert word in finding.says
    assert finding.mend


def test_one_key_for_two_purposes_is_told(production: Settings) -> None:
    production.AUDIT_KEY = production.SECRET_KEY
    assert any("are the same" in said for said in warned(of_settings.check))


# -- Servers --------------------------------------------------------------------------------------


def test_a_broker_that_is_away(settings: Settings) -> None:
    settings.BROKER = Server.parse(f"redis://127.0.0.1:{free_port()}/0")
    [said] = failed(of_servers.broker_check)
    assert "does not answer" in said


def test_a_broker_that_refuses_the_password(settings: Settings) -> None:
    server = Redis()
    server.start()
    try:
        right = Server.parse(server.url.replace("redis://", "redis://:right@"))
        with Server.parse(server.url).connect() as client:
            client.config_set("requirepass", "right")
        settings.BROKER = Server.parse(server.url.replace("redis://", "redis://:wrong@"))
        [said] = failed(of_servers.broker_check)
        assert "refuses" in said
        settings.BROKER = right
        assert failed(of_servers.broker_check) == []
        with settings.BROKER.connect() as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        [said] = warned(of_servers.broker_check)
        assert "allkeys-lru" in said
    finally:
        server.stop()


def test_a_mail_server_that_is_away(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    [said] = failed(of_servers.mail_check)
    assert "can't be spoken to" in said


def test_mails_into_files_are_a_warning(settings: Settings, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    assert failed(of_servers.mail_check) == []
    [said] = warned(of_servers.mail_check)
    assert "files" in said


# -- From outside in ------------------------------------------------------------------------------


Answers = dict[str, tuple[int, bytes]]


class _Web:
    """Answers GET as it is told."""

    def __init__(self, answers: Answers, directory: Path | None = None) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answers.get(self.path, (404, b""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if directory is not None:
            context = self_signed(directory).context
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def web() -> Iterator[Callable[..., _Web]]:
    running: list[_Web] = []

    def start(answers: Answers, directory: Path | None = None) -> _Web:
        running.append(_Web(answers, directory))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, "answers 404, and not as the portal does"),
        ({"/healthz": (200, b"<html>another</html>")}, "not as the portal does"),
        ({"/healthz": (200, b"ok\n"), "/accounts/login/": (400, b"")}, "does not know the name"),
        ({"/healthz": (200, b"ok\n"), "/accounts/login/": (301, b"")}, "redirects"),
        ({"/healthz": (200, b"ok\n"), "/accounts/login/": (503, b"")}, "answers 503"),
    ],
)
def test_an_origin_that_is_not_the_portals(
    web: Callable[..., _Web], settings: Settings, answers: Answers, words: str
) -> None:
    settings.PORTAL_ORIGIN = web(answers).url
    [said] = failed(of_edge.origin_check)
    assert words in said


def test_an_origin_that_shows_the_sign_in_page(
    web: Callable[..., _Web], settings: Settings
) -> None:
    answers = {"/healthz": (200, b"ok\n"), "/accounts/login/": (200, b"")}
    settings.PORTAL_ORIGIN = web(answers).url
    [found] = run(of_edge.origin_check)
    assert found.state == State.OK


def test_a_certificate_is_checked_as_a_browser_does(
    web: Callable[..., _Web],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {"/healthz": (200, b"ok\n"), "/accounts/login/": (200, b"")}
    settings.PORTAL_ORIGIN = web(answers, tmp_path).url
    [said] = failed(of_edge.origin_check)
    assert "does not prove who it is" in said
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    assert failed(of_edge.origin_check) == []
    [said] = warned(of_edge.origin_check)
    assert "its certificate is good until" in said


def test_an_origin_that_nobody_serves(settings: Settings) -> None:
    settings.PORTAL_ORIGIN = f"http://127.0.0.1:{free_port()}"
    [said] = failed(of_edge.origin_check)
    assert "does not answer" in said


@pytest.fixture
def provider(settings: Settings) -> Iterator[ErringProvider]:
    settings.HAS_OWN_PROVIDER = False
    with running("http://127.0.0.1:8000") as provider:
        settings.OPENID = provider.settings
        yield provider


def test_a_provider_that_can_be_used(provider: ErringProvider) -> None:
    [found] = run(of_provider.check)
    assert (found.state, provider.issuer in found.says) == (State.OK, True)


def test_a_provider_is_asked_as_a_sign_in_asks_it(provider: ErringProvider) -> None:
    provider.configured = {"issuer": "https://other.example.com"}
    assert "names another issuer: https://other.example.com" in failed(of_provider.check)[0]
    provider.configured = {"token_endpoint": "http://login.example.com/token"}
    assert "token_endpoint is not https" in failed(of_provider.check)[0]
    provider.configured = {}
    provider.answers["/keys"] = lambda handler: handler.send_json({"keys": [{"kty": "oct"}]})
    assert "none of the provider's keys can be used" in failed(of_provider.check)[0]
    provider.answers["/.well-known/openid-configuration"] = broken
    assert "HTTP 500" in failed(of_provider.check)[0]


def test_a_provider_that_is_away(settings: Settings) -> None:
    settings.HAS_OWN_PROVIDER, settings.OPENID = False, of_sandbox(free_port())
    [found] = run(of_provider.check)
    assert (found.state, "ConnectionError" in found.says) == (State.FAILED, True)
    assert f"{settings.OPENID.issuer}/.well-known/openid-configuration" in found.mend


def test_metadata_is_read(tmp_path: Path, settings: Settings) -> None:
    file = tmp_path / "metadata.xml"
    settings.OPENID, settings.HAS_OWN_PROVIDER = None, False
    settings.SAML = Saml(str(file), "", "", entity_id="urn:portal", acs="urn:acs")
    assert "No such file" in failed(of_provider.check)[0]
    file.write_text("<html>")
    assert "it is no XML" in failed(of_provider.check)[0]
    file.write_bytes(described(entity_id="urn:idp"))
    [found] = run(of_provider.check)
    assert (found.state, found.says) == (State.OK, "the metadata describes urn:idp")


# -- Processes and the command itself -------------------------------------------------------------


@pytest.mark.django_db
def test_a_heartbeat_that_is_to_come_is_a_warning_and_one_that_stopped_is_none() -> None:
    assert [one.state for one in run(of_machine.heartbeats_check)] == [State.WARNING] * 2
    Heartbeat.beat("worker")
    Heartbeat.beat("scheduler")
    assert [one.state for one in run(of_machine.heartbeats_check)] == [State.OK] * 2
    Heartbeat.objects.filter(kind="worker").update(at=timezone.now() - timedelta(seconds=95))
    [said] = failed(of_machine.heartbeats_check)
    assert "no worker was heard of for 9" in said


def test_static_files_that_were_not_collected_are_named(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    [finding] = [one for one in run(of_machine.disk_check) if one.state == State.FAILED]
    assert "collectstatic" in finding.mend


def test_a_check_that_does_not_end_is_told_in_its_time() -> None:
    let_go = threading.Event()

    def wait(_: Report) -> None:
        let_go.wait(30)

    begun = time.monotonic()
    try:
        [one, other] = examine(
            [
                Check("slow", wait, 0.3),
                Check("quick", lambda report: report.ok("fine"), 5.0),
            ]
        )
    finally:
        let_go.set()
    assert time.monotonic() - begun < 5
    assert (one.check, one.state, other.says) == ("slow", State.FAILED, "fine")


def doctor(environment: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "doctor", *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_of_a_portal_that_runs_nothing_is_missing() -> None:
    with Product() as product:
        done = doctor(product.environment, "--json")
        said = json.loads(done.stdout)
        assert (done.returncode, said["ok"]) == (0, True), done.stdout + done.stderr
        parts = {one["check"] for one in said["findings"]}
        assert parts >= {
            *("settings", "database", "broker", "cache", "mail", "origin", "provider"),
            *("disk", "heartbeats", "aws main"),
        }
        lines = doctor(product.environment).stdout.splitlines()
        assert lines[-1] == "The portal is well."


def test_without_a_database_the_other_parts_are_told_all_the_same(tmp_path: Path) -> None:
    done = doctor(
        clean_environment()
        | {
            "PORTAL_EMBEDDED": "1",
            "PORTAL_DATA_DIR": str(tmp_path),
            "PORT": str(free_port()),
            "DATABASE_URL": f"postgres://portal:db-password@127.0.0.1:{free_port()}/tokens",
        }
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert "FAILED   database: the database can't be used (PostgreSQL, 127.0.0.1" in done.stdout
    for part in ("broker", "origin", "heartbeats", "aws"):
        assert f"FAILED   {part}: " in done.stdout
    assert "db-password" not in done.stdout
    assert done.stdout.splitlines()[-1] == "Something is missing."
