"""A connection fills only its share of a worker's places, and nothing is lost or late for that."""

import json
import socket
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.conf import settings as portal_settings
from pytest_django import Settings

from portal import places, tasks, valkey
from portal.life import Effects
from portal.models import Connection, ListedToken, ServiceAccount, Token, User, Workspace
from portal.places import few, most
from portal.valkey import Server
from tests.conftest import Catalog
from tests.servers import free_port

pytestmark = pytest.mark.django_db

PLACES = 12


@pytest.fixture(autouse=True)
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setattr(places._Own, "counted_at", float("-inf"))
    monkeypatch.setattr(places._Own, "is_away_until", float("-inf"))
    settings.WORKER_PROCESSES = PLACES
    with redis.Redis.from_url(portal_settings.CACHE_URL, decode_responses=True) as found:
        found.flushdb()
        yield found
        found.flushdb()


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


@pytest.mark.parametrize("number", [2, 4, 8, 12, 48])
def test_when_one_connection_has_all_that_it_may_have_another_has_some(number: int) -> None:
    assert 1 <= few(number) <= number - most(number)


def test_with_one_place_each_connection_may_have_it() -> None:
    assert (few(1), most(1)) == (1, 0)


# -- Taking and leaving ---------------------------------------------------------------------------


def take_all(connection: str) -> list[places.Place]:
    """All that it gets."""
    taken: list[places.Place] = []
    while (place := places.take(connection, f"work {len(taken)}")) is not None:
        assert place.holder, "the server is asked"
        taken.append(place)
    return taken


def forget_what_waits(server: redis.Redis) -> None:
    for key in server.scan_iter("portal:put-aside*"):
        server.delete(key)


def test_a_connection_gets_all_places_but_a_quarter_and_another_still_a_few() -> None:
    assert len(take_all("busy")) == most(PLACES)
    assert len(take_all("other")) == few(PLACES)
    assert len(take_all("third")) == few(PLACES)


def test_one_that_left_a_call_without_an_answer_gets_few_until_that_is_long_ago(
    server: redis.Redis,
) -> None:
    places.note_silence("hangs")
    assert 0 < server.ttl("portal:silent:hangs") <= places.SILENT_FOR
    assert len(take_all("hangs")) == few(PLACES)
    assert len(take_all("healthy")) == most(PLACES) - few(PLACES)
    server.delete("portal:silent:hangs")
    assert len(take_all("hangs")) == 0, "all that may be taken is taken"


def test_what_finds_no_place_is_put_aside_once_and_taken_up_by_who_leaves(
    server: redis.Redis,
) -> None:
    taken = take_all("busy")
    forget_what_waits(server)
    for _ in range(2):
        assert [places.take("busy", work) for work in ("first", "second")] == [None, None]
    assert places.take("other", "of the other connection") is not None
    assert places.leave(taken.pop()) == ["first"]
    assert places.leave(taken.pop()) == ["second"]
    assert places.leave(taken.pop()) == []
    assert places.take("busy", "again") is not None


def test_what_gets_a_place_is_put_aside_no_more(server: redis.Redis) -> None:
    taken = take_all("busy")
    forget_what_waits(server)
    assert places.take("busy", "rung again by the sweep") is None
    server.zrem("portal:places:" + socket.gethostname(), taken[0].holder + "busy")
    assert places.take("busy", "rung again by the sweep") is not None
    assert [places.leave(one) for one in taken[1:]] == [[]] * (most(PLACES) - 1)


def test_each_host_has_places_of_its_own_and_any_may_take_up_what_another_put_aside(
    server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_all("busy")
    forget_what_waits(server)
    assert places.take("busy", "put aside on one host") is None
    monkeypatch.setattr(socket, "gethostname", lambda: "worker-2")
    elsewhere = places.take("busy", "on another")
    assert elsewhere is not None
    assert places.leave(elsewhere) == ["put aside on one host"]


@pytest.mark.parametrize("held_since", [1.0, 4e9])
def test_a_place_whose_holder_died_is_free_again_and_so_is_one_of_a_clock_that_jumped(
    server: redis.Redis, held_since: float
) -> None:
    taken = take_all("busy")
    [key] = server.keys("portal:places:*")
    assert 0 < server.ttl(key) <= places.HELD_FOR
    server.zadd(key, {taken[0].holder + "busy": held_since})
    assert places.take("busy", "the next") is not None
    assert places.take("busy", "one too many") is None


def test_without_the_server_nobody_is_put_aside_and_it_is_asked_rarely(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    settings.CACHE = Server.parse(f"redis://127.0.0.1:{free_port()}/0")

    def counting(server: Server) -> redis.Redis:
        asked.append(1)
        return server.connect(socket_connect_timeout=1)

    monkeypatch.setattr(valkey, "client", counting)
    for _ in range(PLACES + 1):
        place = places.take("busy", "work")
        assert place is not None
        assert places.leave(place) == []
    places.note_silence("busy")
    assert len(asked) == 1
    places._Own.is_away_until = float("-inf")
    places.take("busy", "work")
    assert len(asked) == 2


def test_a_place_that_was_taken_before_the_server_went_away_is_left_without_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = places.take("busy", "work")
    assert place is not None
    monkeypatch.setattr(places._Own, "is_away_until", float("inf"))
    assert places.leave(place) == []


# -- Readings ------------------------------------------------------------------------------------


def test_readings_have_a_third_of_the_places_and_one_of_a_connection_at_a_time() -> None:
    begun = [places.take_for_reading(f"account-{number}", "a list") for number in range(PLACES)]
    assert [place is not None for place in begun] == [True] * 4 + [False] * 8
    assert len(take_all("people")) == most(PLACES) - 4, "and the others may be taken"


def test_as_readings_end_the_others_are_begun_each_once_and_no_place_is_left_empty(
    server: redis.Redis,
) -> None:
    # As the scheduler hands them out: six of each connection, one after another.
    waiting = [(f"account-{number}", f"list {number}.{n}") for number in range(5) for n in range(6)]
    whose = {work: connection for connection, work in waiting}
    held: list[tuple[str, places.Place]] = []
    begun: list[str] = []
    together: list[int] = []
    while waiting or held:
        while waiting:
            connection, work = waiting.pop(0)
            if place := places.take_for_reading(connection, work):
                assert connection not in {whose[other] for other, _ in held}
                held.append((work, place))
                begun.append(work)
        together.append(len(held))
        _, place = held.pop(0)
        waiting += [(whose[work], work) for work in places.leave(place)]
    assert sorted(begun) == sorted(whose)
    assert max(together) == 4
    assert together[:20] == [4] * 20, "until one or two connections are left"
    assert server.keys("portal:*") == []


def test_what_a_person_waits_for_is_taken_up_before_a_reading() -> None:
    reading = places.take_for_reading("busy", "a list")
    assert reading is not None
    taken = take_all("busy")
    assert places.take("busy", "an issue") is None
    assert places.take_for_reading("busy", "its next list") is None
    assert places.leave(taken.pop()) == [f"work {len(taken) + 1}"]
    assert places.leave(reading) == ["an issue", "its next list"]


def test_a_connection_that_does_not_answer_keeps_no_reading_of_another_from_its_place(
    server: redis.Redis,
) -> None:
    places.note_silence("hangs")
    lists = [f"list {number}" for number in range(6)]
    assert [places.take_for_reading("hangs", one) for one in lists] == [None] * 6
    healthy = places.take_for_reading("healthy", "a list")
    assert healthy is not None
    assert places.leave(healthy) == []
    assert places.readings_put_aside() == {"hangs": 6}
    server.delete("portal:silent:hangs")
    healthy = places.take_for_reading("healthy", "another")
    assert healthy is not None
    assert places.leave(healthy) == ["list 0"], "whoever is next finds it when it answers again"


def test_a_reading_that_is_to_be_begun_and_finds_no_place_keeps_its_turn() -> None:
    held = [places.take_for_reading(f"account-{number}", "a list") for number in range(4)]
    for work in ("first", "second", "third"):
        assert places.take_for_reading(f"of {work}", work) is None
    assert held[0] is not None
    assert held[1] is not None
    assert places.leave(held[0]) == ["first"]
    # Somebody else is quicker.
    quicker = places.take_for_reading("account-5", "a list")
    assert quicker is not None
    assert places.take_for_reading("of first", "first") is None
    assert places.leave(held[1]) == ["first"], "and not behind the others"
    assert places.take_for_reading("of first", "first") is not None
    assert places.leave(quicker) == ["second"]


def test_readings_that_nobody_began_count_as_under_way_for_two_minutes(
    server: redis.Redis,
) -> None:
    places.note_silence("account-0")
    for work in ("first", "second"):
        assert places.take_for_reading("account-0", work) is None
    assert places.readings_put_aside() == {"account-0": 2}
    server.zincrby("portal:put-aside-readings", -places.WAITS_FOR, "account-0\nfirst")
    assert places.readings_put_aside() == {"account-0": 1}


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

    for name in ("issue", "delete_at_aws", "delete_listed"):
        monkeypatch.setattr(tasks, name, flow(name, Effects()))
    for name in ("settle", "prune", "take_inventory"):
        monkeypatch.setattr(tasks, name, flow(name, 0))
    return asked


def test_every_task_that_calls_aws_waits_for_a_place_and_comes_when_one_is_free(
    make_token: Callable[..., Token],
    engineer: User,
    other: ServiceAccount,
    catalog: Catalog,
    done: list[tuple[str, Any]],
    sent: list[tuple[str, Any]],
    server: redis.Redis,
) -> None:
    token, healthy = make_token(engineer, service_account=other), make_token(engineer)
    held = take_all("other")
    forget_what_waits(server)
    pk = str(token.pk)
    tasks.issue_token(pk)
    tasks.revoke_token(pk)
    tasks.settle_token(pk)
    tasks.prune_account(other.pk)
    tasks.list_tokens(other.pk)
    foreign = ListedToken.objects.create(service_account=other, aws_id="99", name="ci")
    tasks.end_listed_token(foreign.pk)
    assert done == []
    tasks.issue_token(str(healthy.pk))
    assert done == [("issue", healthy.pk)], "the other connection has places of its own"
    assert sent == []
    work = [json.loads(one) for _ in range(2) for one in places.leave(held.pop())]
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
