"""AMG's lists are read connection by connection, side by side, and spread over the time."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as portal_settings
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from kombu import Connection as Broker
from pytest_django import Settings

from portal import places, tasks
from portal.flows import read_lists
from portal.flows.read_lists import MOST_LISTS, MOST_WANTED, accounts_to_list, let_people_go_first
from portal.flows.want_lists import want_lists
from portal.models import Connection, ServiceAccount, State, Token, User, Workspace
from tests.conftest import acting

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _is_on(settings: Settings) -> None:
    settings.INVENTORY_SECONDS = 900
    settings.WORKER_PROCESSES = 12


def make(connections: int, lists: int) -> None:
    """As many connections, with so many service accounts each, in one workspace."""
    for number in range(connections):
        workspace = Workspace.objects.create(
            connection=Connection.objects.create(name=f"account-{number}"),
            aws_id=f"g-{number:010x}",
            name=f"observability-{number}",
            status="ACTIVE",
            grafana_version="10.4",
        )
        ServiceAccount.objects.bulk_create(
            ServiceAccount(workspace=workspace, aws_id=str(one), name="ci", grafana_role="VIEWER")
            for one in range(lists)
        )


def of_each(ids: list[int]) -> "Counter[str]":
    """How many of each connection."""
    names = ServiceAccount.objects.filter(pk__in=ids).values_list(
        "workspace__connection__name", flat=True
    )
    return Counter(names)


def have_come(ids: list[int], *, ago: timedelta = timedelta(0)) -> None:
    """Workers have read these lists."""
    at = Now() - ago
    ServiceAccount.objects.filter(pk__in=ids).update(list_asked_at=at, listed_at=at)


def test_each_connection_is_read_at_its_own_pace_beside_the_others() -> None:
    make(5, 20)
    asked = accounts_to_list().inventory
    assert of_each(asked) == {f"account-{number}": MOST_LISTS for number in range(5)}
    assert accounts_to_list().inventory == [], "none of them has come"
    of_one = [pk for pk in asked if of_each([pk])["account-3"]]
    have_come(of_one)
    assert of_each(accounts_to_list().inventory) == {"account-3": MOST_LISTS}


def test_however_many_connections_there_are_each_list_is_asked_for_once() -> None:
    make(40, 3)
    asked: list[int] = []
    while ids := accounts_to_list().inventory:
        assert len(ids) <= 64
        have_come(ids)
        asked += ids
    assert sorted(asked) == sorted(ServiceAccount.objects.values_list("pk", flat=True))


def test_a_connection_that_does_not_answer_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The first rows that are looked at are all of one connection.
    monkeypatch.setattr(read_lists, "_AT_A_TIME", 7)
    make(3, 30)
    silent = Counter({"account-0": MOST_LISTS})
    assert of_each(accounts_to_list().inventory) > silent
    for _ in range(4):
        others = ServiceAccount.objects.exclude(workspace__name="observability-0")
        have_come(list(others.exclude(list_asked_at=None).values_list("pk", flat=True)))
        assert of_each(accounts_to_list().inventory) == {
            "account-1": MOST_LISTS,
            "account-2": MOST_LISTS,
        }
    ServiceAccount.objects.filter(listed_at=None).update(list_asked_at=F("list_asked_at") - MINUTE)
    assert of_each(accounts_to_list().inventory)["account-0"] == MOST_LISTS, "it is tried again"


def test_what_still_waits_for_a_place_is_not_asked_for_beyond_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make(2, 20)
    monkeypatch.setattr(
        places, "readings_put_aside", lambda: Counter({"account-0": MOST_LISTS - 1})
    )
    assert of_each(accounts_to_list().inventory) == {"account-0": 1, "account-1": MOST_LISTS}


def test_lists_that_somebody_waits_for_go_first_and_the_others_go_on(admin: User) -> None:
    make(2, 20)
    wanted = ServiceAccount.objects.filter(workspace__name="observability-0")
    want_lists(wanted, actor=acting(admin))
    asked = accounts_to_list().inventory
    assert of_each(asked[:MOST_WANTED]) == {"account-0": MOST_WANTED}
    assert of_each(asked) == {"account-0": MOST_WANTED, "account-1": MOST_LISTS}
    assert len(asked) == len(set(asked))


def test_what_was_read_in_a_bunch_is_read_again_spread_over_the_time(settings: Settings) -> None:
    make(50, 40)
    everything = list(ServiceAccount.objects.values_list("pk", flat=True))
    have_come(everything, ago=timedelta(seconds=901))
    of_ten_seconds = len(everything) * 10 / settings.INVENTORY_SECONDS
    asked: list[int] = []
    while ids := accounts_to_list().inventory:
        have_come(ids)
        asked += ids
    assert of_ten_seconds <= len(asked) <= 1.3 * of_ten_seconds
    have_come(asked, ago=timedelta(seconds=11))
    assert accounts_to_list().inventory, "and after ten seconds the next"
    settings.INVENTORY_SECONDS = 0
    assert accounts_to_list().inventory == []


def test_a_new_account_waits_for_no_regular_reading() -> None:
    make(2, 20)
    have_come(list(ServiceAccount.objects.values_list("pk", flat=True)), ago=timedelta(hours=1))
    new = ServiceAccount.objects.create(
        workspace=Workspace.objects.get(name="observability-0"),
        aws_id="99",
        name="new",
        grafana_role="VIEWER",
    )
    assert new.pk in accounts_to_list().inventory


def test_a_reading_gives_way_while_somebody_s_key_is_made_and_to_no_request_that_waits_for_aws(
    make_token: Callable[..., Token], engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    token = make_token(engineer)

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            Token.objects.filter(pk=token.pk).update(state=State.CANCELLED)

    monkeypatch.setattr("portal.flows.read_lists.time.sleep", sleep)
    let_people_go_first()
    assert len(waits) == 2, "until that is over"
    Token.objects.update(state=State.QUEUED, not_before=timezone.now() + MINUTE)
    let_people_go_first()
    Token.objects.update(not_before=None, queued_at=timezone.now() - MINUTE)
    let_people_go_first()
    assert len(waits) == 2
    monkeypatch.setattr(read_lists, "LETS_GO_FIRST", 0.0)
    Token.objects.update(queued_at=timezone.now())
    let_people_go_first()
    assert len(waits) == 2, "and not for long"


def test_in_the_broker_everything_else_goes_before_a_list() -> None:
    with redis.Redis.from_url(portal_settings.CACHE_URL) as server:
        server.flushdb()
        with Broker(portal_settings.CACHE_URL) as broker:
            options: dict[str, Any] = {"connection": broker}
            for number in range(20):
                tasks.list_tokens.apply_async((number,), **options)
            tasks.issue_token.apply_async(("a person's",), **options)
            with broker.SimpleQueue("celery", no_ack=True) as queue:
                first = [queue.get(timeout=5).headers["task"] for _ in range(2)]
        server.flushdb()
    assert first == ["portal.issue", "portal.inventory"]
