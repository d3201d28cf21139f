"""The examples for nginx and Caddy run, pass on what the portal needs, and hide what is inside."""

import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.grafana.certificates import Certificate, self_signed
from tests.product import ROOT, within
from tests.servers import free_port

DEPLOY = ROOT / "deploy"
NAME = "tokens.example.com"


class Upstream:
    """A web process that answers with what it was sent."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                said = {
                    "path": self.path,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": body.decode(),
                }
                text = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = _answer  # noqa: N815 (http.server's names)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


Ask = Callable[..., tuple[int, dict[str, object]]]


def nginx(
    directory: Path, certificate: Certificate, port: int, plain: int, hosts: list[str]
) -> list[str]:
    text = (DEPLOY / "nginx.conf.example").read_text()
    for example, host in zip(("10.0.0.1:8000", "10.0.0.2:8000"), hosts, strict=True):
        assert example in text
        text = text.replace(example, host)
    text = re.sub(r"listen 443 ssl", f"listen 127.0.0.1:{port} ssl", text)
    text = re.sub(r"listen 80;", f"listen 127.0.0.1:{plain};", text)
    text = text.replace("/etc/ssl/tokens.example.com.pem", str(certificate.bundle))
    key = certificate.bundle.with_name("key.pem")
    text = text.replace("/etc/ssl/private/tokens.example.com.key", str(key))
    if _version("nginx", "-v", r"nginx/(\d+)\.(\d+)") < (1, 25):
        # Before 1.25.1 it was an option of listen.
        text = text.replace("    http2 on;\n", "").replace(" ssl;", " ssl http2;", 1)
    places = "".join(
        f"{name}_temp_path {directory}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"daemon off; pid {directory}/pid; error_log stderr; worker_processes 1;\n"
        f"events {{}}\nhttp {{ access_log off; {places}\n{text}\n}}\n"
    )
    return [_program("nginx"), "-c", str(directory / "nginx.conf"), "-p", str(directory)]


def caddy(
    directory: Path, certificate: Certificate, port: int, plain: int, hosts: list[str]
) -> list[str]:
    text = (DEPLOY / "Caddyfile").read_text()
    text = text.replace("admin off", f"admin off\n\thttp_port {plain}\n\tskip_install_trust")
    key = certificate.bundle.with_name("key.pem")
    text = text.replace(
        "{$PORTAL_HOST} {",
        f"https://tokens.example.com:{port} {{\n\ttls {certificate.bundle} {key}",
    )
    text = text.replace("{$PORTAL_UPSTREAMS:web:8000}", " ".join(hosts))
    if _version("caddy", "version", r"v?(\d+)\.(\d+)") < (2, 7):
        # Its name before, which Debian 12 has.
        text = text.replace("request_buffers 3MB", "buffer_requests")
    (directory / "Caddyfile").write_text(text)
    return [_program("caddy"), "run", "--config", str(directory / "Caddyfile")]


def _program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin")
    assert found, f"Debian: apt-get install {name}"
    return found


def _version(program: str, option: str, pattern: str) -> tuple[int, ...]:
    said = subprocess.run([_program(program), option], capture_output=True, text=True, check=True)
    [found, *_] = re.findall(pattern, said.stdout + said.stderr)
    return tuple(map(int, found))


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    directory = tmp_path_factory.mktemp("proxy")
    directory.chmod(0o755)
    certificate = self_signed(directory)
    upstream, port = Upstream(), free_port()
    # Of two hosts one is being restarted.
    hosts = [upstream.address, f"127.0.0.1:{free_port()}"]
    log = (directory / "log").open("w")
    process = subprocess.Popen(
        request.param(directory, certificate, port, free_port(), hosts),
        stdout=log,
        stderr=log,
        env={"HOME": str(directory), "PATH": "/usr/sbin:/usr/bin:/bin"},
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def ask(
        path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> tuple[int, dict[str, object]]:
        wire = HTTPConnection("127.0.0.1", port, timeout=20)
        # Caddy finds its certificate by the name that TLS is told.
        wire.sock = context.wrap_socket(
            socket.create_connection(("127.0.0.1", port), 20), server_hostname=NAME
        )
        wire.request(
            method,
            path,
            body=body,
            headers={
                "Host": NAME,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        answer = wire.getresponse()
        text = answer.read()
        wire.close()
        return answer.status, json.loads(text) if answer.status == 200 else {}

    def answers() -> bool:
        try:
            return ask("/")[0] == 200
        except OSError:
            return False

    try:
        assert within(20, answers), (directory / "log").read_text()
        yield ask
    finally:
        process.terminate()
        process.wait(10)
        log.close()
        upstream.close()


def test_it_passes_the_name_on_and_says_itself_who_came_and_how(ask: Ask) -> None:
    status, said = ask("/tokens/", X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="http")
    headers = said["headers"]
    assert isinstance(headers, dict)
    assert status == 200
    assert headers["host"] == "tokens.example.com"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-for"] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_what_is_for_monitors_is_not_published(ask: Ask, path: str) -> None:
    assert ask(path)[0] == 404


def test_a_host_that_is_being_restarted_is_met_by_nobody(ask: Ask) -> None:
    assert {ask("/tokens/")[0] for _ in range(30)} == {200}
    posted = [ask("/tokens/new/", "POST", f"name=ci-{number}") for number in range(10)]
    assert {status for status, _ in posted} == {200}
    assert [said["body"] for _, said in posted] == [f"name=ci-{number}" for number in range(10)]


def test_a_link_that_prefills_the_form_may_be_long(ask: Ask) -> None:
    status, said = ask("/tokens/new/?reason=" + "x" * 7000)
    assert status == 200
    assert len(str(said["path"])) > 7000
