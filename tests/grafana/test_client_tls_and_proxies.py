"""TLS and proxies between the client and AWS: trusted as configured, and honest about what left."""

import os
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from portal.grafana.client import Client
from portal.grafana.errors import NotSent, OutcomeUnknown
from tests.grafana.certificates import Certificate, self_signed
from tests.grafana.example import ACCOUNT, KEY, WORKSPACE
from tests.grafana.scripted_server import (
    Reply,
    ScriptedServer,
    answer,
    broken_off,
    dripping,
    silence,
)

pytest_plugins = ("tests.grafana.client_fixtures",)

CREATED = {"serviceAccountToken": {"id": "5", "name": "ci", "key": KEY}}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_server(certificate: Certificate) -> Iterator[ScriptedServer]:
    with ScriptedServer(certificate.context) as server:
        yield server


@pytest.fixture
def trusting(aws_environment: pytest.MonkeyPatch, certificate: Certificate) -> pytest.MonkeyPatch:
    """An environment in which the server's certificate is trusted."""
    aws_environment.setenv("AWS_CA_BUNDLE", str(certificate.bundle))
    return aws_environment


def create(
    endpoint_url: str, *, connect_timeout: float = 3.0, read_timeout: float = 10.0
) -> object:
    client = Client(
        endpoint_url=endpoint_url, connect_timeout=connect_timeout, read_timeout=read_timeout
    )
    with closing(client):
        return client.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)


class Tunnel:
    """A proxy that knows CONNECT alone: it passes bytes on, or answers with a status instead."""

    def __init__(self, answer_with: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.asked_for: list[bytes] = []
        self._answer = answer_with
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "Tunnel":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                with near:
                    self._serve(near)

    def _serve(self, near: socket.socket) -> None:
        asked = near.recv(4096).split(b"\r\n", 1)[0]
        self.asked_for.append(asked)
        near.sendall(self._answer)
        if b" 200 " not in self._answer:
            return
        host, _, port = asked.split()[1].partition(b":")
        with socket.create_connection((host.decode(), int(port))) as far:
            other = {near: far, far: near}
            while True:
                for sock in select.select([near, far], [], [])[0]:
                    data = sock.recv(65536)
                    if not data:
                        return
                    other[sock].sendall(data)


# -- TLS ------------------------------------------------------------------------------------------


def test_the_ca_bundle_of_aws_is_trusted(
    trusting: pytest.MonkeyPatch, tls_server: ScriptedServer
) -> None:
    """Also beside the bundles that requests reads from the environment."""
    trusting.setenv("REQUESTS_CA_BUNDLE", os.devnull)
    tls_server.script(answer(200, CREATED))
    assert create(tls_server.url)


def test_the_ca_bundle_of_requests_is_trusted(
    aws_environment: pytest.MonkeyPatch, tls_server: ScriptedServer, certificate: Certificate
) -> None:
    aws_environment.setenv("REQUESTS_CA_BUNDLE", str(certificate.bundle))
    tls_server.script(answer(200, CREATED))
    assert create(tls_server.url)


def test_a_certificate_that_nobody_vouches_for_gets_nothing(
    aws_environment: object, tls_server: ScriptedServer
) -> None:
    with pytest.raises(NotSent, match="certificate verify failed"):
        create(tls_server.url)
    assert tls_server.requests == []


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_ca_bundle_that_is_missing_is_named(
    aws_environment: pytest.MonkeyPatch, tls_server: ScriptedServer, variable: str
) -> None:
    aws_environment.setenv(variable, "/nowhere/ca.pem")
    with pytest.raises(NotSent, match=r"/nowhere/ca\.pem"):
        create(tls_server.url)
    assert tls_server.connections == 0


@pytest.fixture
def bundles_loaded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every bundle that is read from here on: OpenSSL takes 18 ms for the usual one."""
    read: list[object] = []
    load = ssl.SSLContext.load_verify_locations

    def counting(context: ssl.SSLContext, *arguments: Any, **named: Any) -> None:
        read.append(arguments or named)
        load(context, *arguments, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counting)
    return read


def test_a_bundle_is_read_once_for_all_connections_and_clients(
    aws_environment: pytest.MonkeyPatch,
    tls_server: ScriptedServer,
    certificate: Certificate,
    tmp_path: Path,
    bundles_loaded: list[object],
) -> None:
    bundle = shutil.copy(certificate.bundle, tmp_path)
    aws_environment.setenv("AWS_CA_BUNDLE", str(bundle))
    for _ in range(3):
        tls_server.script(answer(200, CREATED))
        assert create(tls_server.url)
    assert tls_server.connections == 3
    assert len(bundles_loaded) == 1


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", ""])
def test_a_prepared_client_reads_no_bundle_when_it_is_called(
    aws_environment: pytest.MonkeyPatch,
    tls_server: ScriptedServer,
    certificate: Certificate,
    bundles_loaded: list[object],
    variable: str,
) -> None:
    """Workers prepare theirs before they fork."""
    if variable:
        aws_environment.setenv(variable, str(certificate.bundle))
    with closing(Client(endpoint_url=tls_server.url)) as client:
        client.prepare()
        bundles_loaded.clear()
        tls_server.script(answer(200, {"workspaces": []}))
        with suppress(NotSent):  # without the variable
            client.list_workspaces()
    assert tls_server.connections == 1
    assert bundles_loaded == []


def test_a_bundle_that_is_renewed_counts_for_the_next_connection(
    aws_environment: pytest.MonkeyPatch,
    tls_server: ScriptedServer,
    certificate: Certificate,
    tmp_path: Path,
) -> None:
    bundle, other = tmp_path / "bundle.pem", tmp_path / "other"
    other.mkdir()
    shutil.copy(self_signed(other).bundle, bundle)
    aws_environment.setenv("AWS_CA_BUNDLE", str(bundle))
    with closing(Client(endpoint_url=tls_server.url)) as client:
        with pytest.raises(NotSent, match="certificate verify failed"):
            client.list_workspaces()
        shutil.copy(certificate.bundle, bundle)
        tls_server.script(answer(200, {"workspaces": []}))
        assert client.list_workspaces() == ()
        client.close()
        shutil.copy(other / "certificate.pem", bundle)
        with pytest.raises(NotSent, match="certificate verify failed"):
            client.list_workspaces()


def test_what_one_client_trusts_another_does_not(
    trusting: pytest.MonkeyPatch, tls_server: ScriptedServer
) -> None:
    tls_server.script(answer(200, CREATED))
    assert create(tls_server.url)
    trusting.delenv("AWS_CA_BUNDLE")
    with pytest.raises(NotSent, match="certificate verify failed"):
        create(tls_server.url)


def test_a_directory_of_certificates_is_trusted(
    aws_environment: pytest.MonkeyPatch,
    tls_server: ScriptedServer,
    certificate: Certificate,
    tmp_path: Path,
) -> None:
    shutil.copy(certificate.bundle, tmp_path / "ca.pem")
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True)
    aws_environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    tls_server.script(answer(200, CREATED))
    assert create(tls_server.url)


def test_a_bundle_that_is_none_sends_nothing(
    aws_environment: pytest.MonkeyPatch, tls_server: ScriptedServer, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("no certificate")
    aws_environment.setenv("AWS_CA_BUNDLE", str(bundle))
    with pytest.raises(NotSent):
        create(tls_server.url)
    assert tls_server.requests == []


def test_the_name_on_the_certificate_is_checked(
    trusting: pytest.MonkeyPatch, tls_server: ScriptedServer
) -> None:
    with pytest.raises(NotSent, match="certificate verify failed"):
        create(f"https://localhost:{tls_server.port}")
    assert tls_server.requests == []


def test_a_server_that_speaks_no_tls_gets_nothing(
    aws_environment: object, scripted_server: ScriptedServer
) -> None:
    with pytest.raises(NotSent, match="SSL"):
        create(scripted_server.url.replace("http:", "https:"))
    assert scripted_server.requests == []


def test_a_handshake_that_is_never_answered_sends_nothing(aws_environment: object) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        begun = time.monotonic()
        with pytest.raises(NotSent, match="timed out"):
            create(f"https://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=0.3)
    assert time.monotonic() - begun < 8.0, "not the read timeout of 10 s"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(silence(), id="silence"),
        pytest.param(broken_off(), id="closed"),
        pytest.param(broken_off(reset=True), id="reset"),
        pytest.param(
            dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b" ", every=0.1), id="drips"
        ),
    ],
)
def test_over_tls_too_a_create_that_left_is_sent_once_and_ends_in_time(
    trusting: object, tls_server: ScriptedServer, reply: Reply
) -> None:
    tls_server.script(reply)
    begun = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        create(tls_server.url, read_timeout=0.5)
    assert len(tls_server.requests) == 1
    assert time.monotonic() - begun < 5.0


# -- Proxies --------------------------------------------------------------------------------------


def test_a_proxy_of_the_environment_tunnels_tls(
    trusting: pytest.MonkeyPatch, tls_server: ScriptedServer
) -> None:
    tls_server.script(answer(200, CREATED))
    with Tunnel() as proxy:
        trusting.setenv("HTTPS_PROXY", proxy.url)
        assert create(tls_server.url)
    [asked_for] = proxy.asked_for
    # Python asks in HTTP/1.1 from 3.12 on, and in 1.0 before.
    line, _, version = asked_for.rpartition(b" ")
    assert line == f"CONNECT 127.0.0.1:{tls_server.port}".encode()
    assert version in (b"HTTP/1.0", b"HTTP/1.1")


def test_no_proxy_is_honoured(trusting: pytest.MonkeyPatch, tls_server: ScriptedServer) -> None:
    tls_server.script(answer(200, CREATED))
    trusting.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    trusting.setenv("NO_PROXY", "127.0.0.1")
    assert create(tls_server.url)


@pytest.mark.parametrize(
    "refusal",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_a_proxy_that_will_not_tunnel_lets_nothing_out(
    trusting: pytest.MonkeyPatch, tls_server: ScriptedServer, refusal: bytes
) -> None:
    with Tunnel(refusal) as proxy:
        trusting.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(NotSent):
            create(tls_server.url)
    assert tls_server.connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_cannot_be_reached_lets_nothing_out(
    aws_environment: pytest.MonkeyPatch, scheme: str
) -> None:
    aws_environment.setenv(f"{scheme.upper()}_PROXY", "http://127.0.0.1:1")
    with pytest.raises(NotSent):
        create(f"{scheme}://grafana.example")


@pytest.mark.parametrize("reply", [broken_off(), broken_off(reset=True), silence()])
def test_a_create_that_left_through_a_tunnel_has_an_unknown_outcome(
    trusting: pytest.MonkeyPatch, tls_server: ScriptedServer, reply: Reply
) -> None:
    tls_server.script(reply)
    with Tunnel() as proxy:
        trusting.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(OutcomeUnknown):
            create(tls_server.url, read_timeout=0.5)
    assert len(tls_server.requests) == 1


def test_a_proxy_that_drops_a_plain_create_leaves_its_outcome_unknown(
    aws_environment: pytest.MonkeyPatch, scripted_server: ScriptedServer
) -> None:
    """A proxy for plain HTTP gets the request itself, and may have passed it on."""
    scripted_server.script(broken_off())
    aws_environment.setenv("HTTP_PROXY", scripted_server.url)
    with pytest.raises(OutcomeUnknown):
        create("http://grafana.example")
    assert len(scripted_server.requests) == 1


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "http://", "socks5://127.0.0.1:1"])
def test_a_proxy_that_makes_no_sense_lets_nothing_out(
    aws_environment: pytest.MonkeyPatch, proxy: str
) -> None:
    aws_environment.setenv("HTTP_PROXY", proxy)
    with pytest.raises(NotSent):
        create("http://grafana.example")
