"""When the network, a proxy or AWS fails: sent once, ended in time, and judged rightly.

The question for a create is always the same: may there be a token now that nobody holds?
"""

import contextlib
import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.grafana.client import Client
from portal.grafana.errors import GrafanaError, NoAnswer, OutcomeUnknown
from portal.observing import seen
from tests.grafana.example import ACCOUNT, KEY, WORKSPACE
from tests.grafana.scripted_server import (
    Connection,
    Reply,
    ScriptedServer,
    answer,
    broken_off,
    dripping,
    http_message,
    refusal,
    silence,
)
from tests.servers import free_port

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


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (silence(), "timeout"),
        (silence(HALF), "timeout"),
        (broken_off(), "connection"),
        (broken_off(reset=True), "connection"),
        (html(502), "HTTP502"),
        (answer(200, CREATED), "200"),
        (refusal(429, "ThrottlingException", "slow down"), "ThrottlingException"),
    ],
)
def test_monitors_are_told_what_came_of_each_call(
    hasty: Client, scripted_server: ScriptedServer, reply: Reply, code: str
) -> None:
    seen.take()
    scripted_server.script(reply)
    with contextlib.suppress(GrafanaError):
        create(hasty)
    calls = {name: number for name, number in seen.take().items() if "calls_total" in name[0]}
    operation = "CreateWorkspaceServiceAccountToken"
    assert calls == {("portal_aws_calls_total", f"{operation}\t{code}"): 1}


def test_a_call_that_could_not_be_made_is_told_as_a_connections(
    aws_environment: pytest.MonkeyPatch,
) -> None:
    seen.take()
    with contextlib.suppress(GrafanaError):
        create(Client(endpoint_url=f"http://127.0.0.1:{free_port()}"))
    assert [labels for name, labels in seen.take() if name == "portal_aws_calls_total"] == [
        "CreateWorkspaceServiceAccountToken\tconnection"
    ]
