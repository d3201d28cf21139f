"""A connection fills only its share of a worker's places, and nothing is lost or late for that."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.conf import settings as portal_settings
from pytest_django import Settings

from portal import places, tasks
from portal.life import Effects
from portal.models import Connection, ServiceAccount, Token, User, Workspace
from portal.places import share
from portal.valkey import Server
from tests.conftest import Catalog
from tests.servers import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def server() -> Iterator[redis.Redis]:
    places._Counted.at = float("-inf")
    with redis.Redis.from_url(portal_settings.CACHE_URL, decode_responses=True) as found:
        found.flushdb()
        yield found
        found.flushdb()
    places._Counted.at = float("-inf")


@pytest.fixture
def other(catalog: Catalog) -> ServiceAccount:
    """An account of a second connection."""
    workspace = Workspace.objects.create(
        connection=Connection.objects.create(name="other"),
        aws_id="g-00000000c3",
        name="other",
        status="ACTIVE",
        grafana_version="10.4",
    )
    return ServiceAccount.objects.create(
        workspace=workspace, aws_id="4", name="app", grafana_role="VIEWER"
    )


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Messages that went to the broker."""
    messages: list[tuple[str, Any]] = []
    monkeypatch.setattr(
        tasks, "_send", lambda delay, argument: messages.append((delay.__self__.name, argument))
    )
    return messages


# -- How many -------------------------------------------------------------------------------------


def test_one_connection_may_fill_all() -> None:
    assert [share(12, connections) for connections in (0, 1)] == [12, 12]


@pytest.mark.parametrize("number", [2, 4, 8, 12, 48])
@pytest.mark.parametrize("connections", [2, 3, 4])
def test_there_is_room_left_when_every_other_connection_hangs(
    number: int, connections: int
) -> None:
    others = connections - 1
    if others < number:
        assert others * share(number, connections) < number


@pytest.mark.parametrize("connections", [2, 3, 10, 100])
def test_each_has_a_sixth_at_least(connections: int) -> None:
    assert share(12, connections) >= 2
    assert share(1, connections) == 1


# -- Taking and leaving ---------------------------------------------------------------------------


def test_what_finds_no_place_is_put_aside_once_and_taken_up_by_who_leaves(
    catalog: Catalog, other: ServiceAccount
) -> None:
    assert places.are_shared()
    most = share(portal_settings.WORKER_PROCESSES, 2)
    taken = [places.take("other", f"work {n}") for n in range(most)]
    assert None not in taken
    for _ in range(2):
        assert [places.take("other", work) for work in ("first", "second")] == [None, None]
    assert places.take("main", "of the other connection") is not None
    left = [places.leave(one) for one in taken if one is not None]
    assert left == ["first", "second", *[""] * (most - 2)]
    assert places.take("other", "again") is not None


def test_a_place_whose_holder_died_is_free_again_and_so_is_one_of_a_clock_that_jumped(
    other: ServiceAccount, server: redis.Redis, settings: Settings
) -> None:
    settings.WORKER_PROCESSES = 2
    places.are_shared()
    assert places.take("other", "one") is not None
    assert places.take("other", "two") is None
    [key] = server.keys("portal:places:*")
    assert 0 < server.ttl(key) <= places.HELD_FOR
    [holder] = server.zrange(key, 0, -1)
    for score in (1.0, 4e9):
        server.zadd(key, {holder: score})
        place = places.take("other", "three")
        assert place is not None, score
        places.leave(place)


def test_without_the_server_nobody_is_put_aside(other: ServiceAccount, settings: Settings) -> None:
    settings.WORKER_PROCESSES = 1
    settings.CACHE = Server.parse(f"redis://127.0.0.1:{free_port()}/0")
    places._servers.clear()
    places.are_shared()
    try:
        for _ in range(3):
            place = places.take("other", "work")
            assert place is not None
            assert places.leave(place) == ""
    finally:
        places._servers.clear()


# -- The tasks ------------------------------------------------------------------------------------


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What flows were asked to do."""
    asked: list[tuple[str, Any]] = []

    def flow(name: str, answer: object) -> Callable[[Any], object]:
        def run(argument: Any) -> object:
            asked.append((name, argument))
            return answer

        return run

    for name in ("issue", "delete_at_aws"):
        monkeypatch.setattr(tasks, name, flow(name, Effects()))
    for name in ("settle", "prune", "take_inventory"):
        monkeypatch.setattr(tasks, name, flow(name, 0))
    return asked


def fill(connection: str) -> list[places.Place]:
    places.are_shared()
    most = share(portal_settings.WORKER_PROCESSES, 2)
    taken = [places.take(connection, "hangs") for _ in range(most)]
    return [one for one in taken if one is not None]


def test_every_task_that_calls_aws_waits_for_a_place_and_comes_when_one_is_free(
    make_token: Callable[..., Token],
    engineer: User,
    other: ServiceAccount,
    catalog: Catalog,
    done: list[tuple[str, Any]],
    sent: list[tuple[str, Any]],
) -> None:
    token, healthy = make_token(engineer, service_account=other), make_token(engineer)
    held = fill("other")
    pk = str(token.pk)
    tasks.issue_token(pk)
    tasks.revoke_token(pk)
    tasks.settle_token(pk)
    tasks.prune_account(other.pk)
    tasks.list_tokens(other.pk)
    assert done == []
    tasks.issue_token(str(healthy.pk))
    assert done == [("issue", healthy.pk)], "the other connection has places of its own"
    assert sent == []
    work = [json.loads(places.leave(held.pop())) for _ in range(2)]
    assert work == [["portal.issue", pk], ["portal.revoke", pk]]
    # Whoever has a place and is done with it takes up the next.
    tasks.issue_token(pk)
    assert done[1:] == [("issue", token.pk)]
    assert sent == [("portal.settle", pk)]


def test_a_task_that_fails_leaves_its_place(
    make_token: Callable[..., Token],
    engineer: User,
    other: ServiceAccount,
    sent: list[tuple[str, Any]],
    server: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: uuid.UUID) -> Effects:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr(tasks, "issue", fail)
    token = make_token(engineer, service_account=other)
    with pytest.raises(ValueError, match="mistake"):
        tasks.issue_token(str(token.pk))
    assert server.keys("portal:places:*") == []


def test_with_one_connection_nothing_is_asked(
    make_token: Callable[..., Token],
    engineer: User,
    done: list[tuple[str, Any]],
    server: redis.Redis,
    django_assert_num_queries: Any,
) -> None:
    token = make_token(engineer)
    tasks.issue_token(str(token.pk))
    with django_assert_num_queries(0):
        tasks.issue_token(str(token.pk))
    assert done == [("issue", token.pk)] * 2
    assert server.keys("portal:places:*") == []


def test_a_message_about_a_row_that_is_gone_takes_no_place(
    other: ServiceAccount, done: list[tuple[str, Any]], server: redis.Redis
) -> None:
    assert places.are_shared()
    tasks.issue_token(str(uuid.uuid4()))
    tasks.prune_account(4711)
    assert len(done) == 2
    assert server.keys("portal:places:*") == []
