"""How a limit counts: a bucket that leaks, exact over threads and processes."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connections
from django.db.models import F
from pytest_django import Settings

from portal import limits
from portal.limits import Limit, LimitExceededError, table
from portal.models import LimitUse, Token, User

FIVE_AN_HOUR = Limit("test", 5, 720, "Too often.")
GROWING = Limit("test", 3, 300, "Too often.", first_wait=5)


def takes(limit: Limit, subject: str = "somebody") -> int:
    """Use it once: 0, or the seconds to wait where it was refused."""
    try:
        limits.take(limit, subject)
    except LimitExceededError as exceeded:
        return exceeded.seconds
    return 0


def pass_time(seconds: float) -> None:
    span = timedelta(seconds=seconds)
    LimitUse.objects.update(level_at=F("level_at") - span, blocked_until=F("blocked_until") - span)


@pytest.mark.django_db
def test_a_burst_is_taken_and_then_one_more_each_time_one_has_run_out() -> None:
    assert [takes(FIVE_AN_HOUR) for _ in range(5)] == [0] * 5
    assert takes(FIVE_AN_HOUR) == 720
    pass_time(719)
    assert takes(FIVE_AN_HOUR) == 1
    pass_time(1)
    assert takes(FIVE_AN_HOUR) == 0
    assert takes(FIVE_AN_HOUR) == 720
    pass_time(3600)
    assert [takes(FIVE_AN_HOUR) for _ in range(5)] == [0] * 5


@pytest.mark.django_db
def test_pauses_may_grow_up_to_the_longest() -> None:
    assert [takes(GROWING) for _ in range(3)] == [0] * 3
    waits = []
    for _ in range(20):
        waits.append(takes(GROWING))
        pass_time(waits[-1])
        assert takes(GROWING) == 0
    assert waits[:6] == [5, 10, 20, 40, 80, 160]
    assert max(waits) == waits[-1] == 300


@pytest.mark.django_db
def test_each_subject_and_each_limit_has_a_bucket_of_its_own() -> None:
    assert [takes(FIVE_AN_HOUR) for _ in range(6)][-1] > 0
    assert takes(FIVE_AN_HOUR, "another") == 0
    assert takes(Limit("another", 5, 720, "Too often.")) == 0


@pytest.mark.django_db
def test_what_is_given_back_does_not_count() -> None:
    for _ in range(50):
        assert takes(FIVE_AN_HOUR) == 0
        limits.give_back(FIVE_AN_HOUR, "somebody")
    assert [takes(FIVE_AN_HOUR) for _ in range(5)] == [0] * 5


@pytest.mark.django_db
def test_a_clock_that_goes_back_lets_nothing_run_out_and_breaks_nothing() -> None:
    takes(FIVE_AN_HOUR)
    pass_time(-60)
    assert takes(FIVE_AN_HOUR) == 0
    assert LimitUse.objects.get().level == 2


@pytest.mark.django_db
def test_a_subject_stands_nowhere_in_clear() -> None:
    takes(FIVE_AN_HOUR, "hunter2@secret.example")
    assert "hunter2" not in repr(LimitUse.objects.values())


@pytest.mark.django_db
def test_with_limits_off_nothing_is_counted(settings: Settings) -> None:
    settings.RATE_LIMITS = False
    assert [takes(FIVE_AN_HOUR) for _ in range(10)] == [0] * 10
    assert not LimitUse.objects.exists()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "in 1 second, at 12:00:00 UTC"),
        (40, "in 40 seconds, at 12:00:40 UTC"),
        (120, "in 120 seconds, at 12:02:00 UTC"),
        (121, "in 3 minutes, at 12:02:01 UTC"),
        (3600, "in 60 minutes, at 13:00:00 UTC"),
    ],
)
def test_it_says_when_to_try_again(seconds: float, said: str) -> None:
    now = datetime.fromisoformat("2026-11-28T12:00:00+00:00")
    exceeded = LimitExceededError(
        FIVE_AN_HOUR, "somebody", now=now, retry_at=now + timedelta(seconds=seconds)
    )
    assert str(exceeded) == f"Too often. Try again {said}."


def test_every_limit_of_the_table_says_what_it_is_about() -> None:
    every = [one for one in vars(table).values() if isinstance(one, Limit)]
    assert len({one.name for one in every}) == len(every) >= 13
    assert [one.name for one in every if not one.says.endswith(".")] == []
    assert [one.name for one in every if len(one.name) > 32] == []


def at_once(count: int, act: Callable[[], object]) -> list[bool]:
    """Whether each of so many threads, which all begin together, was let through."""
    done: list[bool] = []
    gate = threading.Barrier(count)

    def run() -> None:
        gate.wait()
        try:
            act()
            done.append(True)
        except LimitExceededError:
            done.append(False)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == count
    return done


@pytest.mark.django_db(transaction=True)
def test_many_at_the_same_moment_are_not_more_than_one_after_another() -> None:
    assert sum(at_once(16, lambda: limits.take(FIVE_AN_HOUR, "somebody"))) == 5


@pytest.mark.django_db
def test_requests_are_counted_by_the_tokens_that_a_person_asked_for_themself(
    make_token: Callable[..., Token], engineer: User, settings: Settings
) -> None:
    settings.REQUESTS_PER_HOUR = 3
    make_token(engineer, asked_by="lead@example.com")
    for _ in range(3):
        limits.check_requests(engineer)
        make_token(engineer)
    with pytest.raises(LimitExceededError) as refused:
        limits.check_requests(engineer)
    assert 3590 <= refused.value.seconds <= 3600
    oldest = Token.objects.filter(asked_by="").order_by("created_at")[0]
    Token.objects.filter(pk=oldest.pk).update(created_at=F("created_at") - timedelta(minutes=59))
    with pytest.raises(LimitExceededError) as refused:
        limits.check_requests(engineer)
    assert 50 <= refused.value.seconds <= 60
    Token.objects.filter(pk=oldest.pk).update(created_at=F("created_at") - timedelta(minutes=1))
    limits.check_requests(engineer)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:7:1:2:3:4", "2001:db8:0:7::/64"),
        ("::1", "::/64"),
    ],
)
def test_what_counts_as_one_address(address: str, network: str) -> None:
    assert limits.network(address) == network
