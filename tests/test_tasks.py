"""Messages to workers: a doorbell that may fail, and then the sweep rings."""

from collections.abc import Callable

import pytest
from kombu.exceptions import OperationalError

from portal import tasks
from portal.life import Effects
from portal.models import State, Token, User
from portal.scheduler import run_all as sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Publishing fails as it does while the broker is away; what was tried."""
    tried: list[str] = []

    def refuse(name: str) -> Callable[..., None]:
        def delay(*_: object) -> None:
            tried.append(name)
            raise OperationalError("connection refused")

        return delay

    for task in (tasks.issue_token, tasks.revoke_token, tasks.heartbeat):
        monkeypatch.setattr(task, "delay", refuse(task.name))
    monkeypatch.setattr("portal.wakeup.publish", lambda *_: None)
    return tried


def test_a_request_that_the_broker_did_not_hear_of_is_rung_by_the_next_sweep(
    no_broker: list[str], make_token: Callable[..., Token], engineer: User
) -> None:
    token = make_token(engineer)
    Token.objects.update(rung_at=token.created_at)
    assert sweep().issue == [], "somebody has rung a moment ago"
    tasks.follow_up(Effects(issue=[token.pk]))
    assert no_broker == ["portal.issue"]
    assert sweep().issue == [token.pk]


def test_a_sweep_without_a_broker_gives_up_at_once_and_the_next_asks_again(
    no_broker: list[str], make_token: Callable[..., Token], engineer: User
) -> None:
    waiting = {make_token(engineer).pk for _ in range(3)}
    ending = make_token(engineer, state=State.REVOKING, aws_token_id="7")
    tasks.follow_up(sweep())
    assert no_broker == ["portal.issue"], "each try may take a second"
    again = sweep()
    assert (set(again.issue), again.revoke) == (waiting, [ending.pk])
