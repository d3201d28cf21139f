"""Which of AWS's tokens an unresolved attempt has left: all of the marks count, each alone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal.flows import recover
from portal.flows.recover import LOOK_AGAIN_AFTER, SIGNATURE_VALIDITY, orphans_in, settle
from portal.grafana.types import TokenList, TokenSummary
from portal.models import State, Token, User
from tests.grafana.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db

ATTEMPT = timedelta(seconds=30)
"""Between the first unresolved attempt and the last signature."""


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def unresolved(make_token: Callable[..., Token], engineer: User, now: datetime) -> Token:
    return make_token(
        engineer,
        name="ci",
        may_exist_at_aws=True,
        unresolved_since=now,
        last_signature_at=now + ATTEMPT,
    )


def listed(token: Token, created_at: datetime | None, **other: Any) -> TokenSummary:
    """A token that AWS lists, alike but for ``other``."""
    expires_at = created_at + timedelta(seconds=token.seconds_to_live) if created_at else None
    marks = {"id": "77", "name": token.name, "expires_at": expires_at}
    return TokenSummary(created_at=created_at, last_used_at=None, **(marks | other))


def found(token: Token, one: TokenSummary, now: datetime, *, skew: float = 0.0) -> bool:
    answered_at = now + timedelta(seconds=skew)
    tokens = TokenList((one,), answered_at=answered_at, request_id="")
    return orphans_in(token, tokens, asked_at=now) == [one]


def test_what_has_all_the_marks_is_an_orphan(unresolved: Token, now: datetime) -> None:
    assert found(unresolved, listed(unresolved, now), now)


def test_another_name_is_a_strangers(unresolved: Token, now: datetime) -> None:
    assert not found(unresolved, listed(unresolved, now, name="ci-2"), now)


def test_another_lifetime_is_a_strangers(unresolved: Token, now: datetime) -> None:
    hour = now + timedelta(seconds=unresolved.seconds_to_live)
    assert found(unresolved, listed(unresolved, now, expires_at=hour + timedelta(seconds=4)), now)
    for other in (timedelta(seconds=6), timedelta(seconds=-6)):
        assert not found(unresolved, listed(unresolved, now, expires_at=hour + other), now)
    assert not found(unresolved, listed(unresolved, now, expires_at=None), now)


def test_without_a_time_of_creation_nothing_is_ours(unresolved: Token, now: datetime) -> None:
    later = now + timedelta(seconds=unresolved.seconds_to_live)
    assert not found(unresolved, listed(unresolved, None, expires_at=later), now)


def test_an_id_that_stands_on_a_row_is_that_rows(
    unresolved: Token, make_token: Callable[..., Token], engineer: User, now: datetime
) -> None:
    make_token(engineer, name="other", state=State.ACTIVE, aws_token_id="77")
    assert not found(unresolved, listed(unresolved, now), now)


LAST = ATTEMPT + SIGNATURE_VALIDITY


@pytest.mark.parametrize("skew", [0.0, 200.0, -200.0])
@pytest.mark.parametrize(
    ("after", "is_ours"),
    [
        (timedelta(seconds=-7), False),
        (timedelta(seconds=-3), True),
        (LAST - timedelta(seconds=2), True),
        (LAST + timedelta(seconds=2), False),
    ],
)
def test_ours_was_created_while_a_signature_of_ours_was_good_by_awss_clock(
    unresolved: Token, now: datetime, after: timedelta, is_ours: bool, skew: float
) -> None:
    created_at = now + after + timedelta(seconds=skew)
    if skew and not is_ours:
        # How far the clocks are apart is known to the second: at either end one is generous.
        early = after < timedelta(0)
        created_at += timedelta(seconds=-abs(skew) - skew if early else abs(skew) - skew)
    assert found(unresolved, listed(unresolved, created_at), now, skew=skew) == is_ours


# -- Looking once more --------------------------------------------------------------------------


@pytest.fixture
def failed(unresolved: Token, aws: SandboxProcess) -> Token:
    Token.objects.update(state=State.FAILED)
    unresolved.refresh_from_db()
    return unresolved


def test_a_signature_that_came_while_the_list_was_read_is_not_cleared_by_it(
    failed: Token, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = now - timedelta(hours=1)
    Token.objects.update(unresolved_since=long_ago, last_signature_at=long_ago)

    def look(*_: object) -> tuple[int, timedelta]:
        Token.objects.update(last_signature_at=now)
        return 0, timedelta(0)

    monkeypatch.setattr(recover, "_remove_listed", look)
    settle(failed.pk)
    failed.refresh_from_db()
    assert failed.unresolved_since == long_ago


@pytest.mark.parametrize("state", [State.FAILED, State.ACTIVE])
def test_what_is_over_is_looked_for_every_half_minute_and_what_lives_once(
    failed: Token, now: datetime, state: State
) -> None:
    """While a token lives, its name is taken, and no twin can come."""
    Token.objects.update(state=state)
    settle(failed.pk)
    failed.refresh_from_db()
    assert failed.not_before is not None
    wait = failed.not_before - now
    once = timedelta(seconds=-2) < wait - LAST < timedelta(seconds=2)
    soon = wait < LOOK_AGAIN_AFTER + timedelta(seconds=10)
    assert (once, soon) == ((True, False) if state == State.ACTIVE else (False, True))
