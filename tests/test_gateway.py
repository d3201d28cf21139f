"""Every call to AWS in its turn, and what its answers say about AWS itself."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.db import DatabaseError

from portal import gateway, tasks, wakeup
from portal.flows.issue import issue
from portal.gateway import Gateway, NotYetError
from portal.grafana import clients
from portal.grafana.errors import AccessDeniedException, GrafanaError, ThrottlingException
from portal.models import Connection, Heartbeat, State, Token, User
from tests.conftest import asked_for
from tests.grafana.scripted_server import ScriptedServer, answer, refusal

pytest_plugins = ["tests.grafana.client_fixtures"]
pytestmark = pytest.mark.django_db

WORKSPACE = "g-1a2b3c4d5e"
PACE = "portal:pace:main"


@pytest.fixture
def server() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.CACHE_URL, decode_responses=True) as found:
        found.flushdb()
        yield found
        found.flushdb()


@pytest.fixture
def aws(
    aws_environment: pytest.MonkeyPatch, scripted_server: ScriptedServer, server: redis.Redis
) -> Iterator[ScriptedServer]:
    aws_environment.setenv("AWS_ENDPOINT_URL_GRAFANA", scripted_server.url)
    aws_environment.setenv("NO_PROXY", "127.0.0.1")
    clients.forget_clients()
    yield scripted_server
    clients.forget_clients()


@pytest.fixture
def main(aws: ScriptedServer) -> Connection:
    return Connection(name="main")


@pytest.fixture(autouse=True)
def _nothing_heard_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway._Ear, "heard", False)
    monkeypatch.setattr(gateway._Ear, "noted_at", float("-inf"))


def next_turn_in(server: redis.Redis, seconds: float, *, rate: float = 10.0) -> None:
    now = time.time()
    pace = {"rate": rate, "next": now + seconds, "grown": now, "cut": now}
    server.hset(PACE, mapping={name: str(value) for name, value in pace.items()})


def turns_taken(server: redis.Redis) -> int:
    return sum(int(str(server.get(key))) for key in server.scan_iter(f"{PACE}:*"))


def page(member: str, *entries: dict[str, object], next_token: str = "") -> Callable[..., bool]:
    return answer(200, {member: list(entries)} | ({"nextToken": next_token} if next_token else {}))


OPERATIONS: dict[str, Callable[[Gateway], object]] = {
    "list_workspaces": lambda aws: aws.list_workspaces(),
    "describe_workspace": lambda aws: aws.describe_workspace(WORKSPACE),
    "list_service_accounts": lambda aws: aws.list_service_accounts(WORKSPACE),
    "create_token": lambda aws: aws.create_token(WORKSPACE, "2", name="ci", seconds_to_live=60),
    "list_tokens": lambda aws: aws.list_tokens(WORKSPACE, "2"),
    "delete_token": lambda aws: aws.delete_token(WORKSPACE, "2", "7"),
}
every_operation = pytest.mark.parametrize("call", OPERATIONS.values(), ids=OPERATIONS)


@every_operation
def test_nothing_is_sent_before_its_turn(
    main: Connection,
    aws: ScriptedServer,
    server: redis.Redis,
    call: Callable[[Gateway], object],
) -> None:
    next_turn_in(server, 60)
    with pytest.raises(NotYetError) as later:
        call(Gateway(main))
    assert later.value.seconds == pytest.approx(60, abs=2)
    assert aws.requests == []


@every_operation
def test_nothing_is_sent_when_the_work_must_end(
    main: Connection, aws: ScriptedServer, call: Callable[[Gateway], object]
) -> None:
    with pytest.raises(NotYetError):
        call(Gateway(main, until=time.monotonic() - 0.001))
    assert aws.requests == []


@pytest.mark.parametrize(
    ("member", "call"),
    [
        ("workspaces", OPERATIONS["list_workspaces"]),
        ("serviceAccounts", OPERATIONS["list_service_accounts"]),
        ("serviceAccountTokens", OPERATIONS["list_tokens"]),
    ],
)
def test_each_page_of_a_list_takes_a_turn(
    main: Connection,
    aws: ScriptedServer,
    server: redis.Redis,
    member: str,
    call: Callable[[Gateway], object],
) -> None:
    aws.script(page(member, next_token="1"), page(member, next_token="2"), page(member))
    next_turn_in(server, 0.3, rate=4)
    began = time.monotonic()
    call(Gateway(main))
    assert time.monotonic() - began > 0.7, "the first in 0.3 s, then a quarter of a second each"
    assert (turns_taken(server), len(aws.requests)) == (3, 3)


@every_operation
def test_a_throttled_call_slows_everybody_down(
    main: Connection,
    aws: ScriptedServer,
    server: redis.Redis,
    call: Callable[[Gateway], object],
) -> None:
    assert gateway.calls_per_second(main) is None
    aws.script(refusal(429, "ThrottlingException", "Rate exceeded"))
    with pytest.raises(ThrottlingException):
        call(Gateway(main))
    assert gateway.calls_per_second(main) is not None


def test_a_patient_reading_sends_a_throttled_page_again_when_aws_says(
    main: Connection, aws: ScriptedServer
) -> None:
    throttled = refusal(429, "ThrottlingException", "slow down", headers={"Retry-After": "1"})
    workspace: dict[str, object] = {"id": WORKSPACE, "status": "ACTIVE"}
    aws.script(page("workspaces", next_token="1"), throttled, page("workspaces", workspace))
    began = time.monotonic()
    found = Gateway(main, patience=30).list_workspaces()
    assert time.monotonic() - began >= 1
    assert [one.id for one in found] == [WORKSPACE]
    assert [one.target.partition("nextToken=")[2] for one in aws.requests] == ["", "1", "1"]


def test_patience_ends(main: Connection, aws: ScriptedServer) -> None:
    throttled = refusal(429, "ThrottlingException", "slow down", headers={"Retry-After": "3600"})
    aws.script(throttled)
    began = time.monotonic()
    with pytest.raises(ThrottlingException):
        Gateway(main, patience=30).list_workspaces()
    assert time.monotonic() - began < 5
    assert len(aws.requests) == 1


def test_a_patient_reading_waits_for_a_turn_that_is_far_away(
    main: Connection, aws: ScriptedServer, server: redis.Redis
) -> None:
    next_turn_in(server, 5.3)
    aws.script(page("workspaces"))
    began = time.monotonic()
    Gateway(main, patience=30).list_workspaces()
    assert time.monotonic() - began > 5


def test_a_create_is_never_sent_again(main: Connection, aws: ScriptedServer) -> None:
    with pytest.raises(ValueError, match="never sent again"):
        OPERATIONS["create_token"](Gateway(main, patience=30))
    assert aws.requests == []


# -- What is heard of AWS -------------------------------------------------------------------------


def test_an_answer_is_noted_once_in_15_seconds(main: Connection, aws: ScriptedServer) -> None:
    aws.script(page("workspaces"), page("workspaces"))
    Gateway(main).list_workspaces()
    assert not Heartbeat.objects.exists(), "while a key may wait for it, nothing is written"
    gateway.note_heard()
    first = Heartbeat.objects.get(kind="aws").at
    Gateway(main).list_workspaces()
    gateway.note_heard()
    assert Heartbeat.objects.get(kind="aws").at == first


def test_what_another_process_has_just_noted_is_not_written_again(
    main: Connection, aws: ScriptedServer
) -> None:
    Heartbeat.beat("aws")
    first = Heartbeat.objects.get(kind="aws").at
    aws.script(page("workspaces"))
    Gateway(main).list_workspaces()
    gateway.note_heard()
    assert Heartbeat.objects.get(kind="aws").at == first


def test_an_answer_is_noted_again_after_15_seconds(
    main: Connection, aws: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.script(page("workspaces"), page("workspaces"))
    Gateway(main).list_workspaces()
    gateway.note_heard()
    first = Heartbeat.objects.get(kind="aws").at - timedelta(seconds=16)
    Heartbeat.objects.update(at=first)
    monkeypatch.setattr(gateway._Ear, "noted_at", gateway._Ear.noted_at - 16)
    gateway.note_heard()
    assert Heartbeat.objects.get(kind="aws").at == first, "it was not heard of since"
    Gateway(main).list_workspaces()
    gateway.note_heard()
    assert Heartbeat.objects.get(kind="aws").at > first


def test_awss_own_refusal_counts_as_heard(main: Connection, aws: ScriptedServer) -> None:
    aws.script(refusal(403, "AccessDeniedException", "not authorized"))
    with pytest.raises(AccessDeniedException):
        Gateway(main).list_workspaces()
    gateway.note_heard()
    assert Heartbeat.objects.filter(kind="aws").exists()


def test_the_answer_of_a_proxy_does_not(main: Connection, aws: ScriptedServer) -> None:
    aws.script(
        answer(
            502,
            b"<h1>Bad gateway</h1>",
            content_type="text/html",
            headers={"x-amzn-RequestId": None},
        )
    )
    with pytest.raises(GrafanaError):
        Gateway(main).list_workspaces()
    gateway.note_heard()
    assert not Heartbeat.objects.exists()


def test_a_database_that_is_away_is_told_later(
    main: Connection, aws: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise DatabaseError

    Gateway(main).delete_token(WORKSPACE, "2", "7")
    with monkeypatch.context() as patch:
        patch.setattr(Heartbeat, "beat", away)
        gateway.note_heard()
    gateway.note_heard()
    assert Heartbeat.objects.filter(kind="aws").exists()


def test_a_key_does_not_wait_for_the_note_and_its_task_writes_it_afterwards(
    aws: ScriptedServer,
    make_token: Callable[..., Token],
    engineer: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wakeup, "publish", lambda *_: None)

    def created(number: int) -> Callable[..., bool]:
        key = f"glsa_{uuid.uuid4().hex}_00000000"
        token = {"id": str(number), "key": key, "name": "ci"}
        return answer(200, {"serviceAccountToken": token})

    aws.script(created(1), created(2))
    first, second = make_token(engineer), make_token(engineer)
    asked_for(first)
    asked_for(second)
    assert issue(first.pk)
    assert not Heartbeat.objects.exists()
    tasks.issue_token(str(second.pk))
    assert Token.objects.filter(state=State.SEALED).count() == 2
    assert Heartbeat.objects.filter(kind="aws").exists()
