"""Tokens by state, summed up: always what counting every row would say."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.models import Count
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.models import State, Token, User, counting
from portal.models.counting import count_by_state
from portal.models.states import ENDED, OPEN

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _the_sum_is_this_tests(db: None) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def every_row() -> dict[str, int]:
    return dict(Token.objects.order_by().values_list("state").annotate(Count("pk")))


@pytest.fixture
def end(make_token: Callable[..., Token], engineer: User) -> Callable[..., None]:
    def end(*, ago: timedelta, count: int = 1, state: State = State.EXPIRED) -> None:
        for _ in range(count):
            make_token(engineer, state=state, state_at=timezone.now() - ago)

    return end


def test_what_ends_later_is_added_to_what_was_summed_up(end: Callable[..., None]) -> None:
    assert count_by_state() == {}
    for ago, state in (
        (timedelta(days=300), State.REVOKED),
        (timedelta(minutes=4), State.EXPIRED),
        (timedelta(0), State.FAILED),
        (timedelta(minutes=1), State.REVOKED),
    ):
        end(ago=ago, count=2, state=state)
        assert count_by_state() == every_row()
        assert count_by_state() == every_row(), "and once more"


def test_a_token_that_ends_is_counted_once(
    make_token: Callable[..., Token], engineer: User, end: Callable[..., None]
) -> None:
    end(ago=timedelta(days=1))
    live = make_token(engineer, state=State.ACTIVE)
    assert count_by_state() == {"active": 1, "expired": 1}
    live.state = State.REVOKED
    Token.objects.filter(pk=live.pk).update(state=State.REVOKED, state_at=Now())
    assert count_by_state() == {"revoked": 1, "expired": 1}


def test_when_old_rows_are_deleted_all_is_counted_anew(end: Callable[..., None]) -> None:
    for days in (3, 2, 1):
        end(ago=timedelta(days=days), count=days)
    assert count_by_state() == {"expired": 6}
    Token.objects.filter(state_at__lt=timezone.now() - timedelta(days=2, hours=12)).delete()
    assert count_by_state() == {"expired": 3}
    Token.objects.all().delete()
    assert count_by_state() == {}


def test_what_was_deleted_in_the_middle_is_noticed_after_a_while(
    end: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in (3, 2, 1):
        end(ago=timedelta(days=days))
    count_by_state()
    middle = Token.objects.order_by("state_at")[1]
    Token.objects.filter(pk=middle.pk).delete()
    monkeypatch.setattr(counting, "KEPT", timedelta(0))
    assert count_by_state() == {"expired": 2}


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_it_says_what_every_row_says(
    seed: int, end: Callable[..., None], make_token: Callable[..., Token], engineer: User
) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        match chance.randrange(5):
            case 0:
                make_token(engineer, state=chance.choice([State.ACTIVE, State.AWAITING_APPROVAL]))
            case 1:
                row = Token.objects.filter(state__in=OPEN).first()
                if row:
                    state = chance.choice(ENDED)
                    Token.objects.filter(pk=row.pk).update(state=state, state_at=Now())
            case 2:
                cache.clear()
            case 3:
                rows = Token.objects.filter(state__in=ENDED).order_by("state_at")
                rows.filter(pk__in=list(rows.values_list("pk", flat=True)[:1])).delete()
            case _:
                # Long ago: it was there before the first sum. Or in the last minutes.
                first = Token.objects.filter(state__in=ENDED).exists()
                end(ago=timedelta(minutes=chance.randrange(4)) if first else timedelta(days=9))
        assert count_by_state() == every_row()


def test_history_is_not_read_again(end: Callable[..., None]) -> None:
    end(ago=timedelta(days=1), count=3)
    count_by_state()
    with CaptureQueriesContext(connection) as queries:
        count_by_state()
    assert len(queries) == 5
    [_, _, more, _, fresh] = [one["sql"] for one in queries]
    for sql in (more, fresh):
        assert sql.count('"state_at" >= ') == sql.count('"state_at" < ') == 1
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for sql in (more, fresh):
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
                plan = "\n".join(line[-1] for line in cursor.fetchall())
                assert "COVERING INDEX token_ended (state_at>? AND state_at<?)" in plan, plan
