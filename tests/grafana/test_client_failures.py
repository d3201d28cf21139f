"""When the network, a proxy or AWS fails: sent once, ended in time, and judged rightly.

The question for a create is always the same: may there be a token now that nobody holds?
"""

import json
import netrc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.grafana import transport
from portal.grafana.client import Client
from portal.grafana.errors import GrafanaError, NoAnswer, NotSent, OutcomeUnknown
from tests.grafana.example import ACCOUNT, KEY, WORKSPACE
from tests.grafana.scripted_server import (
    Connection,
    Reply,
    ScriptedServer,
    answer,
    broken_off,
    dripping,
    http_message,
    silence,
)

pytest_plugins = ("tests.grafana.client_fixtures",)

CREATED = {"serviceAccountToken": {"id": "5", "name": "ci", "key": KEY}}
PAGE = b"<html><body>502 Bad Gateway</body></html>"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HALF = (
    HEAD + b'Content-Length: 500\r\n\r\n{"serviceAccountToken": {"id": "5", "key": "' + KEY.encode()
)
CHUNK = b"2\r\n{ \r\n"


def create(client: Client) -> object:
    return client.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)


def html(status: int) -> Reply:
    return answer(status, PAGE, content_type="text/html")


def huge(connection: Connection) -> bool:
    """A good answer, but for sixteen MiB of blanks behind it."""
    start = json.dumps(CREATED).encode()
    connection.write(HEAD + b"Content-Length: %d\r\n\r\n" % (len(start) + (16 << 20)) + start)
    for _ in range(16):
        connection.write(b" " * (1 << 20))
    return True


AFTER_SENDING = [
    pytest.param(silence(), id="silence"),
    pytest.param(silence(HEAD), id="silence after half the headers"),
    pytest.param(silence(HALF), id="silence after half the body"),
    pytest.param(broken_off(), id="closed without an answer"),
    pytest.param(broken_off(reset=True), id="reset without an answer"),
    pytest.param(broken_off(HEAD), id="closed after half the headers"),
    pytest.param(broken_off(HALF), id="closed after half the body"),
    pytest.param(broken_off(HALF, reset=True), id="reset after half the body"),
    pytest.param(broken_off(HEAD + b"\r\n{"), id="closed after half a body of no stated length"),
    pytest.param(
        broken_off(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK), id="closed between chunks"
    ),
    pytest.param(
        broken_off(HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot hex\r\n"), id="a chunk of no size"
    ),
    pytest.param(broken_off(HEAD + b"Content-Encoding: gzip\r\n\r\nnot gzip"), id="not gzip"),
    pytest.param(broken_off(KEY.encode() + b"\r\n\r\n"), id="not HTTP"),
    pytest.param(broken_off(HEAD + b"X: y\r\n" * 200 + b"\r\n"), id="too many headers"),
    pytest.param(broken_off(b"HTTP/1.1 " + b"9" * 70_000), id="an endless status line"),
    pytest.param(huge, id="an answer beyond all measure"),
    pytest.param(html(500), id="HTML 500"),
    pytest.param(html(502), id="HTML 502"),
    pytest.param(html(503), id="HTML 503"),
    pytest.param(html(504), id="HTML 504"),
    pytest.param(answer(500, {"message": "Internal"}), id="JSON 500 of no type"),
    pytest.param(answer(503), id="empty 503"),
    pytest.param(html(200), id="HTML 200"),
    pytest.param(answer(204), id="empty 204"),
    pytest.param(answer(302, headers={"Location": "/elsewhere"}), id="redirect 302"),
    pytest.param(answer(307, headers={"Location": "/elsewhere"}), id="redirect 307"),
    pytest.param(answer(308, headers={"Location": "http://[broken"}), id="redirect nowhere"),
    pytest.param(answer(304), id="not modified"),
]


# -- After the request has left -------------------------------------------------------------------


@pytest.mark.parametrize("reply", AFTER_SENDING)
def test_a_create_that_left_is_sent_once_and_its_outcome_is_unknown(
    hasty: Client, scripted_server: ScriptedServer, reply: Reply
) -> None:
    scripted_server.script(reply)
    begun = time.monotonic()
    with pytest.raises(OutcomeUnknown) as caught:
        create(hasty)
    assert time.monotonic() - begun < 5.0
    assert len(scripted_server.requests) == 1
    assert caught.value.outcome_unknown
    assert not caught.value.retryable


@pytest.mark.parametrize("reply", AFTER_SENDING)
def test_a_list_that_left_is_sent_once_and_may_be_repeated(
    hasty: Client, scripted_server: ScriptedServer, reply: Reply
) -> None:
    scripted_server.script(reply)
    with pytest.raises(NoAnswer) as caught:
        hasty.list_tokens(WORKSPACE, ACCOUNT)
    assert len(scripted_server.requests) == 1
    assert caught.value.retryable
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("reply", [silence(), broken_off(), html(502), html(200)])
def test_a_deletion_that_left_is_sent_once_and_may_be_repeated(
    hasty: Client, scripted_server: ScriptedServer, reply: Reply
) -> None:
    scripted_server.script(reply)
    with pytest.raises(NoAnswer) as caught:
        hasty.delete_token(WORKSPACE, ACCOUNT, "5")
    assert len(scripted_server.requests) == 1
    assert caught.value.retryable


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(dripping(b"", b"H", every=0.1), id="a status line"),
        pytest.param(dripping(HEAD, b"X-Drip: drop\r\n", every=0.1), id="headers"),
        pytest.param(
            dripping(HEAD + b"Content-Length: 9999\r\n\r\n", b" ", every=0.1), id="a body"
        ),
        pytest.param(dripping(HEAD + b"\r\n", b" ", every=0.1), id="a body of no stated length"),
        pytest.param(
            dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK, every=0.1), id="chunks"
        ),
        pytest.param(
            dripping(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.1),
            id="promises to go on",
        ),
    ],
)
def test_an_answer_that_drips_in_ends_with_the_time_for_the_whole(
    hasty: Client, scripted_server: ScriptedServer, reply: Reply
) -> None:
    """Each byte comes long before half a second is over, and the last one never."""
    scripted_server.script(reply)
    begun = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        create(hasty)
    assert 0.4 < time.monotonic() - begun < 5.0


def test_a_slow_answer_within_the_time_is_read(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    body = b'{"workspaces": []}'

    def slowly(connection: Connection) -> bool:
        for byte in http_message(200, body, {"Content-Length": str(len(body))}):
            connection.write(bytes([byte]))
            connection.pause(0.002)
        return True

    scripted_server.script(slowly)
    assert grafana.list_workspaces() == ()


def test_the_time_of_one_answer_is_not_taken_from_the_next(
    aws_environment: object, scripted_server: ScriptedServer
) -> None:
    def late(connection: Connection) -> bool:
        connection.pause(0.8)
        return answer(200, {"workspaces": []})(connection)

    scripted_server.script(late, late, late)
    client = Client(endpoint_url=scripted_server.url, read_timeout=2.0)
    for _ in range(3):
        assert client.list_workspaces() == ()
    client.close()
    assert scripted_server.connections == 1


def test_whatever_a_server_sends_it_is_an_error_of_ours(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    @settings(max_examples=150, deadline=None)
    @given(
        st.binary(max_size=200)
        | st.builds(HEAD.__add__, st.binary(max_size=200))
        | st.builds(
            b"%sX: %s\r\n\r\n%s".__mod__, st.tuples(st.just(HEAD), st.binary(), st.binary())
        )
    )
    @example(HEAD + b"Content-Length: 5, 6\r\n\r\nhello")
    @example(HEAD + b"Content-Length: -5\r\n\r\nhello")
    @example(HEAD + b"Set-Cookie: \xff=\x00; expires=never\r\n\r\nhello")
    @example(HEAD + b"Content-Type: ;;;=\xff\r\n\r\n{}")
    @example(HEAD + b"no colon here\r\n\r\n{}")
    @example(
        b"HTTP/1.1 429 \r\nRetry-After: \xff\r\nDate: \xb2\r\nx-amzn-ErrorType: \xff\r\n\r\n{}"
    )
    @example(b"HTTP/1.1 99999 OK\r\n\r\n")
    @example(b"HTTP/0.9 200 OK\r\n\r\n")
    def send(data: bytes) -> None:
        scripted_server.script(broken_off(data))
        with pytest.raises(GrafanaError) as caught:
            create(grafana)
        assert len(scripted_server.requests) == 1
        assert caught.value.outcome_unknown or caught.value.status == 429

    send()


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
    assert time.monotonic() - begun < 2.0


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
