"""A key leaves the client by ``reveal`` alone: not by text, copy, log, error or traceback."""

import copy
import dataclasses
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from functools import partial

import pytest

from portal.grafana.client import Client
from portal.grafana.errors import GrafanaError, ValidationException
from portal.grafana.transport import Answer
from portal.grafana.types import CreatedToken, Key
from tests.grafana.example import ACCOUNT, KEY, WORKSPACE
from tests.grafana.scripted_server import Reply, ScriptedServer, answer, broken_off, silence

pytest_plugins = ("tests.grafana.client_fixtures",)

SECRET_PART = KEY.removeprefix("glsa_")[:16]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
WITH_KEY = json.dumps({"serviceAccountToken": {"name": "ci", "key": KEY}}).encode()


def create(client: Client) -> CreatedToken:
    return client.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)


# -- The key --------------------------------------------------------------------------------------


def test_a_key_reveals_itself_only_when_asked() -> None:
    assert Key(KEY).reveal() == KEY


@pytest.mark.parametrize(
    "show", [repr, str, format, ascii, "{}".format, "{:>40}".format, "{!r}".format, "%s".__mod__]
)
def test_however_it_is_printed_a_key_is_hidden(show: Callable[[Key], str]) -> None:
    assert show(Key(KEY)).strip() == "Key(hidden)"


@pytest.mark.parametrize(
    "take",
    [
        *(partial(pickle.dumps, protocol=each) for each in range(pickle.HIGHEST_PROTOCOL + 1)),
        copy.copy,
        copy.deepcopy,
        json.dumps,
        vars,
        lambda key: key.__getstate__(),
        lambda key: dataclasses.asdict(CreatedToken("5", "ci", key, None, "")),
    ],
)
def test_a_key_is_not_copied_or_serialised(take: Callable[[Key], object]) -> None:
    with pytest.raises(TypeError) as caught:
        take(Key(KEY))
    assert SECRET_PART not in str(caught.value)


def test_keys_are_not_compared_by_content() -> None:
    key = Key(KEY)
    assert [key] == [key]
    assert key != Key(KEY)


def test_what_holds_a_key_hides_it_too() -> None:
    assert SECRET_PART not in repr(CreatedToken("5", "ci", Key(KEY), None, "request"))
    assert SECRET_PART not in repr(Answer(200, {}, WITH_KEY))


# -- Errors ---------------------------------------------------------------------------------------

FAILURES = [
    pytest.param(answer(200, WITH_KEY), id="no id"),
    pytest.param(answer(200, WITH_KEY[:-2]), id="cut off"),
    pytest.param(answer(200, KEY.encode()), id="not JSON"),
    pytest.param(answer(500, WITH_KEY), id="500"),
    pytest.param(answer(302, WITH_KEY), id="redirect"),
    pytest.param(
        answer(500, {"message": f"stored {KEY}"}, headers={"x-amzn-ErrorType": "InternalFailure"}),
        id="in an error's message",
    ),
    pytest.param(
        answer(400, {"fieldList": [{"name": KEY}], "message": KEY, "code": "ValidationException"}),
        id="in a field",
    ),
    pytest.param(answer(400, {"code": KEY, "message": "x"}), id="as an error's type"),
    pytest.param(
        answer(500, {"message": "x"}, headers={"x-amzn-ErrorType": KEY, "x-amzn-RequestId": KEY}),
        id="in headers",
    ),
    pytest.param(broken_off(HEAD + WITH_KEY), id="dropped within the body"),
    pytest.param(silence(HEAD + WITH_KEY), id="silent within the body"),
    pytest.param(broken_off(WITH_KEY), id="not HTTP"),
    pytest.param(
        broken_off(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + WITH_KEY),
        id="as the size of a chunk",
    ),
    pytest.param(
        broken_off(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + WITH_KEY), id="not gzip"
    ),
]


@pytest.mark.parametrize("reply", FAILURES)
def test_no_error_tells_the_key(
    hasty: Client,
    scripted_server: ScriptedServer,
    caplog: pytest.LogCaptureFixture,
    reply: Reply,
) -> None:
    """Nor its traceback, printed with every local variable, nor the log at its most talkative."""
    caplog.set_level(logging.DEBUG)
    scripted_server.script(reply)
    with pytest.raises(GrafanaError) as caught:
        create(hasty)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
    told = [
        str(error),
        repr(error),
        repr(vars(error)),
        *traceback.format_exception(error),
        *with_locals.format(),
        caplog.text,
    ]
    assert SECRET_PART not in "".join(told)


def test_what_is_left_of_a_message_that_held_a_key_can_be_read(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    scripted_server.script(answer(400, {"message": f"bad {KEY}!", "code": "ValidationException"}))
    with pytest.raises(ValidationException) as caught:
        create(grafana)
    assert caught.value.message == "bad glsa_(hidden)!"


# -- Logs -----------------------------------------------------------------------------------------


def test_a_client_keeps_the_libraries_below_from_logging_what_passes(
    grafana: Client, scripted_server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    scripted_server.script(
        answer(200, {"serviceAccountToken": {"id": "5", "name": "ci", "key": KEY}})
    )
    assert create(grafana).key.reveal() == KEY
    assert caplog.records == []


@pytest.mark.parametrize("name", ["botocore", "urllib3"])
@pytest.mark.parametrize(
    ("before", "after"), [(logging.DEBUG, logging.WARNING), (logging.ERROR, logging.ERROR)]
)
def test_making_a_client_raises_their_level_and_never_lowers_it(
    name: str, before: int, after: int
) -> None:
    logger = logging.getLogger(name)
    present = logger.level
    try:
        logger.setLevel(before)
        Client()
        assert logger.level == after
    finally:
        logger.setLevel(present)
