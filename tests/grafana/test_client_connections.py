"""Connections: kept, not trusted for long, and honest about whether anything left."""

import netrc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from portal.grafana import transport
from portal.grafana.client import Client
from portal.grafana.errors import NotSent, OutcomeUnknown
from tests.grafana.example import ACCOUNT, KEY, WORKSPACE
from tests.grafana.scripted_server import (
    Connection,
    Reply,
    ScriptedServer,
    answer,
    broken_off,
    silence,
)

pytest_plugins = ("tests.grafana.client_fixtures",)

CREATED = {"serviceAccountToken": {"id": "5", "name": "ci", "key": KEY}}
PAGE = b"<html><body>502 Bad Gateway</body></html>"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HALF = (
    HEAD + b'Content-Length: 500\r\n\r\n{"serviceAccountToken": {"id": "5", "key": "' + KEY.encode()
)


def create(client: Client) -> object:
    return client.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)


def html(status: int) -> Reply:
    return answer(status, PAGE, content_type="text/html")


# -- Connections that are kept --------------------------------------------------------------------


def test_a_connection_that_the_server_closed_is_replaced_and_nothing_is_sent_twice(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    scripted_server.script(answer(200, {"workspaces": []}), answer(200, CREATED))
    grafana.list_workspaces()
    scripted_server.close_idle_connections()
    create(grafana)
    assert [request.method for request in scripted_server.requests] == ["GET", "POST"]
    assert [request.connection for request in scripted_server.requests] == [0, 1]


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_closes_just_as_a_create_comes_does_not_send_it_again(
    grafana: Client, scripted_server: ScriptedServer, reset: bool
) -> None:
    scripted_server.script(
        answer(200, {"workspaces": []}), broken_off(reset=reset), answer(200, CREATED)
    )
    grafana.list_workspaces()
    with pytest.raises(OutcomeUnknown):
        create(grafana)
    assert [request.method for request in scripted_server.requests] == ["GET", "POST"]


def test_a_connection_closed_unseen_before_the_create_is_not_tried_again(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    """The server reads nothing: the create goes into a connection that is already dead."""

    def answer_and_leave(connection: Connection) -> bool:
        answer(200, {"workspaces": []})(connection)
        return False

    for _ in range(20):
        scripted_server.script(answer_and_leave, answer(200, CREATED))
        grafana.list_workspaces()
        try:
            create(grafana)
        except OutcomeUnknown:
            # It was faster than the news of the end: then nothing more may have come.
            assert len(scripted_server.requests) == 1
        else:
            assert len(scripted_server.requests) == 2


def test_a_connection_that_was_idle_for_long_is_not_trusted(
    grafana: Client, scripted_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "LONGEST_IDLE", 0.05)
    grafana.delete_token(WORKSPACE, ACCOUNT, "5")
    grafana.delete_token(WORKSPACE, ACCOUNT, "6")
    time.sleep(0.1)
    grafana.delete_token(WORKSPACE, ACCOUNT, "7")
    assert [request.connection for request in scripted_server.requests] == [0, 0, 1]


def test_after_a_failure_the_next_call_has_a_connection_of_its_own(
    hasty: Client, scripted_server: ScriptedServer
) -> None:
    """An answer that came too late must not be read as the answer to the next request."""
    scripted_server.script(silence(HALF), answer(200, {"workspaces": []}))
    with pytest.raises(OutcomeUnknown):
        create(hasty)
    assert hasty.list_workspaces() == ()
    assert [request.connection for request in scripted_server.requests] == [0, 1]


def test_a_closed_client_may_be_used_again(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    grafana.delete_token(WORKSPACE, ACCOUNT, "5")
    grafana.close()
    grafana.delete_token(WORKSPACE, ACCOUNT, "6")
    assert scripted_server.connections == 2


def test_threads_may_share_a_client(grafana: Client, scripted_server: ScriptedServer) -> None:
    scripted_server.script(*(answer(200, CREATED) for _ in range(40)))
    keys: list[object] = []

    def work() -> None:
        keys.extend(create(grafana) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == len(scripted_server.requests) == 40


# -- Before anything has left ---------------------------------------------------------------------


@pytest.fixture
def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full: one more is never accepted."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as listener:
        port = int(listener.getsockname()[1])
        waiting = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            waiting.append(sock)
        yield port
        for sock in waiting:
            sock.close()


def not_sent(endpoint_url: str, **timeouts: float) -> NotSent:
    client = Client(endpoint_url=endpoint_url, **timeouts)  # type: ignore[arg-type]  # floats only
    with pytest.raises(NotSent) as caught:
        create(client)
    client.close()
    assert caught.value.retryable
    assert not caught.value.outcome_unknown
    assert caught.value.status is None
    return caught.value


def test_a_refused_connection_sends_nothing(aws_environment: object, closed_port: int) -> None:
    assert "refused" in not_sent(f"http://127.0.0.1:{closed_port}").message


def test_a_name_that_does_not_resolve_sends_nothing(aws_environment: object) -> None:
    assert "resolve" in not_sent("http://grafana.invalid").message


def test_a_connection_that_is_never_accepted_sends_nothing(
    aws_environment: object, deaf_port: int
) -> None:
    begun = time.monotonic()
    error = not_sent(f"http://127.0.0.1:{deaf_port}", connect_timeout=0.3)
    assert "timed out" in error.message
    assert time.monotonic() - begun < 3.0, "not the connect timeout of 3 s that is the default"


# -- What a Session of requests would have done ---------------------------------------------------


def test_netrc_does_not_overwrite_the_signature(
    aws_environment: pytest.MonkeyPatch,
    grafana: Client,
    scripted_server: ScriptedServer,
    tmp_path: Path,
) -> None:
    entry = tmp_path / "netrc"
    entry.write_text("machine 127.0.0.1 login somebody password something\n")
    entry.chmod(0o600)
    assert netrc.netrc(entry).authenticators("127.0.0.1")
    aws_environment.setenv("NETRC", str(entry))
    grafana.delete_token(WORKSPACE, ACCOUNT, "5")
    [request] = scripted_server.requests
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")


def test_a_redirect_is_not_followed_nor_its_body_trusted(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    moved = answer(307, CREATED, headers={"Location": f"{scripted_server.url}/workspaces"})
    scripted_server.script(moved, answer(200, CREATED))
    with pytest.raises(OutcomeUnknown):
        create(grafana)
    assert len(scripted_server.requests) == 1


def test_cookies_are_not_kept(grafana: Client, scripted_server: ScriptedServer) -> None:
    scripted_server.script(answer(200, {}, headers={"Set-Cookie": "session=1; Path=/"}))
    grafana.delete_token(WORKSPACE, ACCOUNT, "5")
    grafana.delete_token(WORKSPACE, ACCOUNT, "6")
    assert "cookie" not in scripted_server.requests[1].headers
