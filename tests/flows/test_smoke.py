"""A new key is tried once at its Grafana, where PORTAL_SMOKE_TEST is on; nothing depends on it."""

import base64
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from portal.flows import issue as issuing
from portal.flows.issue import issue
from portal.grafana import smoke
from portal.grafana.types import Key
from portal.models import State, Token, User, Workspace
from portal.views.tokens.tried import tried
from tests.conftest import asked_for
from tests.grafana.certificates import self_signed
from tests.grafana.sandbox_process import SandboxProcess
from tests.grafana.scripted_server import (
    Reply,
    ScriptedServer,
    answer,
    broken_off,
    dripping,
    silence,
)
from tests.person import KeyPair

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting")]

SECRET = f"glsa_{'s' * 32}_00000000"


@pytest.fixture
def queued(make_token: Callable[..., Token], engineer: User) -> Token:
    return asked_for(make_token(engineer))


def test_a_key_that_works_is_said_to(
    queued: Token, aws: SandboxProcess, keys: KeyPair, settings: Any
) -> None:
    settings.SMOKE_TEST = True
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.smoke_test) == (State.SEALED, smoke.WORKS)
    assert queued.sealed_key is not None
    assert keys.open(base64.b64encode(queued.sealed_key).decode(), str(queued.pk))
    assert len(aws.calls("GET /api/org")) == 1


def test_off_it_asks_nobody(queued: Token, aws: SandboxProcess) -> None:
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.smoke_test) == (State.SEALED, "")
    assert aws.calls("GET /api/org") == []
    assert tried(queued.smoke_test) is None


def test_an_attempt_that_is_late_stores_its_key_and_tries_nothing(
    queued: Token, aws: SandboxProcess, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SMOKE_TEST = True
    monkeypatch.setattr(issuing, "TIME_TO_TRY_A_KEY", 0.0)
    issue(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.smoke_test) == (State.SEALED, smoke.NO_TIME)
    assert aws.calls("GET /api/org") == []


def test_a_worker_that_dies_while_it_tries_leaves_an_unknown_outcome_and_no_orphan(
    queued: Token, aws: SandboxProcess, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SMOKE_TEST = True

    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> str:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(smoke, "try_key", die)
        with pytest.raises(Killed):
            issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.ISSUING
    assert queued.unresolved_since is not None
    Token.objects.filter(pk=queued.pk).update(state=State.QUEUED, lease_until=None, not_before=None)
    issue(queued.pk)
    queued.refresh_from_db()
    assert queued.state == State.SEALED
    assert [str(one["id"]) for one in aws.live_tokens(name=queued.name)] == [queued.aws_token_id]


def test_no_time_for_trying_is_taken_from_what_is_left_to_store() -> None:
    latest_create_ends = issuing.TIME_TO_TRY_A_KEY + smoke.SECONDS
    assert latest_create_ends <= 12.0 + 10.0


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (answer(401, {"message": "Invalid API key"}), smoke.REFUSED),
        (answer(503), "status-503"),
        (answer(302, headers={"Location": "http://127.0.0.1:9/"}), "status-302"),
        (broken_off(b"SSH-2.0"), smoke.UNREACHABLE),
        (silence(), smoke.TIMED_OUT),
        (dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", every=0.05), smoke.TIMED_OUT),
    ],
)
def test_whatever_grafana_does_the_request_is_issued_and_the_page_says_why_not(
    queued: Token,
    aws: SandboxProcess,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    reply: Reply,
    code: str,
) -> None:
    settings.SMOKE_TEST = True
    monkeypatch.setattr(smoke.try_key, "__kwdefaults__", {"seconds": 0.4})
    caplog.set_level(logging.DEBUG)
    with ScriptedServer() as server:
        server.script(reply)
        Workspace.objects.filter(pk=queued.workspace_id).update(endpoint=server.url)
        issue(queued.pk)
        assert [one.target for one in server.requests] == ["/api/org"]
    queued.refresh_from_db()
    assert (queued.state, queued.smoke_test) == (State.SEALED, code)
    said = tried(code)
    assert said is not None
    assert not said.works
    assert "Grafana" in said.said
    assert "glsa_" not in caplog.text


def test_a_grafana_that_is_not_there_or_has_no_address_is_no_failure() -> None:
    assert smoke.try_key("http://127.0.0.1:1", Key(SECRET), seconds=2.0) == smoke.UNREACHABLE
    assert smoke.try_key("", Key(SECRET)) == smoke.NO_ADDRESS
    assert smoke.try_key("http://[", Key(SECRET)) == smoke.NO_ADDRESS


def test_a_name_that_nobody_can_look_up_in_time_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, asked = threading.Event(), []

    def look_up(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        held.wait(30)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert smoke.try_key("https://g.example", Key(SECRET), seconds=0.2) == smoke.TIMED_OUT
    held.set()
    assert asked == ["g.example"]


def test_a_certificate_that_nobody_trusts_gets_no_key(tmp_path: Any) -> None:
    certificate = self_signed(tmp_path)
    with ScriptedServer(certificate.context) as server:
        assert smoke.try_key(server.url, Key(SECRET)) == smoke.NOT_TRUSTED
        assert server.requests == []
