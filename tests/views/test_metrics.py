"""The metrics that outside monitors rely on, right over processes, hosts and restarts."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from portal import audit
from portal.audit import SYSTEM
from portal.life import moves, work
from portal.life.move import Move
from portal.metrics import aws, history
from portal.models import (
    Action,
    AuditEvent,
    Drift,
    ListedToken,
    State,
    Tally,
    Token,
    User,
)
from portal.observing import seen
from tests.conftest import Catalog, asked_for

pytestmark = pytest.mark.django_db


def scraped() -> dict[str, float]:
    """Each series with its value, by its spelling."""
    said = Client().get("/metrics").content.decode()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in said.splitlines()
        if not line.startswith("#")
    }


def ended() -> dict[str, int]:
    pattern = re.compile(r'portal_requests_total\{outcome="(\w+)"\}')
    return {
        found[1]: int(value) for name, value in scraped().items() if (found := pattern.match(name))
    }


NOTHING = dict.fromkeys(("delivered", "failed", "denied", "cancelled", "unclaimed"), 0)


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.take()
    cache.clear()


def move(token: Token, move: Move, **said: object) -> None:
    with work(SYSTEM) as unit:
        unit.move(unit.lock(token.pk), move, **said)  # type: ignore[arg-type]


def test_a_request_counts_once_when_it_ends(
    make_token: Callable[..., Token], engineer: User
) -> None:
    assert ended() == NOTHING
    failed = asked_for(make_token(engineer))
    assert ended() == NOTHING
    move(failed, moves.FAIL, error_code="ValidationException", error_message="no")
    cancelled = make_token(engineer)
    move(cancelled, moves.CANCEL)
    denied = make_token(engineer, state=State.AWAITING_APPROVAL)
    move(denied, moves.DENY, reason="no")
    unclaimed = make_token(engineer, state=State.SEALED)
    move(unclaimed, moves.GIVE_UP_UNCLAIMED)
    delivered = make_token(engineer, state=State.SEALED)
    move(delivered, moves.DELIVER, recipient=engineer)
    assert ended() == dict.fromkeys(NOTHING, 1)
    move(delivered, moves.BEGIN_REVOCATION, reason="over")
    assert ended() == dict.fromkeys(NOTHING, 1)
    assert scraped()["portal_unclaimed_total"] == 1


def test_a_sealed_key_that_was_revoked_before_it_was_taken_is_a_request_that_was_cancelled(
    make_token: Callable[..., Token], engineer: User
) -> None:
    move(make_token(engineer, state=State.SEALED), moves.BEGIN_REVOCATION, reason="no more")
    assert ended() == NOTHING | {"cancelled": 1}


@pytest.mark.parametrize("folds", [0, 1, 3])
def test_what_was_counted_is_not_counted_again(
    make_token: Callable[..., Token],
    engineer: User,
    monkeypatch: pytest.MonkeyPatch,
    folds: int,
) -> None:
    monkeypatch.setattr(history, "BATCH", 2)
    for _ in range(5):
        move(asked_for(make_token(engineer)), moves.CANCEL)
    for _ in range(folds):
        assert history.fold()
    move(asked_for(make_token(engineer)), moves.CANCEL)
    assert ended()["cancelled"] == 6


def test_rows_that_are_deleted_later_stay_counted(
    make_token: Callable[..., Token], engineer: User
) -> None:
    token = make_token(engineer, state=State.SEALED, sealed_at=timezone.now())
    move(token, moves.DELIVER, recipient=engineer)
    history.fold()
    Token.objects.all().delete()
    assert ended()["delivered"] == 1
    assert scraped()["portal_delivered_seconds_count"] == 1


def test_a_log_that_was_never_counted_is_no_burst_of_requests(
    make_token: Callable[..., Token], engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade: Prometheus would take a part for the beginning of a rise."""
    monkeypatch.setattr(history, "LONGEST_TAIL", 3)
    monkeypatch.setattr(history, "BATCH", 2)
    for _ in range(5):
        move(asked_for(make_token(engineer)), moves.CANCEL)
    assert not any(name.startswith("portal_requests") for name in scraped())
    history.fold()
    assert ended()["cancelled"] == 5


def test_after_the_log_was_cut_what_comes_next_counts(
    make_token: Callable[..., Token], engineer: User
) -> None:
    Tally.objects.add({history._CURSOR: 1_000_000})
    history.fold()
    move(asked_for(make_token(engineer)), moves.CANCEL)
    history.fold()
    assert ended()["cancelled"] == 1


def test_times_count_from_the_submit_that_brought_the_browsers_key(
    make_token: Callable[..., Token], engineer: User
) -> None:
    now = timezone.now()
    token = make_token(
        engineer,
        state=State.SEALED,
        created_at=now - timedelta(days=3),
        queued_at=now - timedelta(seconds=1.2),
        sealed_at=now,
    )
    with transaction.atomic():
        audit.record(Action.TOKEN_ISSUED, actor=SYSTEM, token=token, aws_request_id="r")
    for _ in range(2):
        found = scraped()
        assert found['portal_sealed_seconds_bucket{le="1.0"}'] == 0
        assert found['portal_sealed_seconds_bucket{le="1.5"}'] == 1
        assert found['portal_sealed_seconds_bucket{le="+Inf"}'] == 1
        assert found["portal_sealed_seconds_count"] == 1
        assert found["portal_sealed_seconds_sum"] == pytest.approx(1.2)
        assert found["portal_delivered_seconds_count"] == 0
        history.fold()


def test_calls_to_aws_are_told_by_a_process_that_made_none() -> None:
    seen.aws_call("ListWorkspaces", "200", 0.2)
    seen.aws_call("ListWorkspaces", "200", 0.07)
    seen.aws_call("ListWorkspaces", "ThrottlingException", 30.0)
    seen.aws_call("ListWorkspaces", 'odd"code', 1.0)
    assert not any("aws_calls_total{" in name for name in scraped())
    aws.write()
    aws.write()
    found = scraped()
    calls = 'portal_aws_calls_total{{code="{}",operation="ListWorkspaces"}}'
    assert found[calls.format("200")] == 2
    assert found[calls.format("ThrottlingException")] == 1
    assert found[calls.format("other")] == 1
    bucket = 'portal_aws_call_seconds_bucket{{le="{}",operation="ListWorkspaces"}}'
    assert found[bucket.format("0.1")] == 1
    assert found[bucket.format("0.25")] == 2
    assert found[bucket.format("+Inf")] == 4
    seen.aws_call("ListWorkspaces", "200", 0.2)
    aws.write()
    assert scraped()[calls.format("200")] == 3


@pytest.mark.django_db(transaction=True)
def test_what_the_database_did_not_take_is_written_later() -> None:
    seen.aws_call("ListWorkspaces", "200", 0.2)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE portal_tally RENAME TO away")
    aws.write()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE away RENAME TO portal_tally")
    assert not Tally.objects.exists()
    aws.write()
    assert Tally.objects.filter(metric="portal_aws_calls_total").get().value == 1


def test_workspaces_tell_what_is_at_amg(
    make_token: Callable[..., Token], engineer: User, catalog: Catalog
) -> None:
    make_token(engineer)
    make_token(engineer, state=State.SEALED)
    make_token(engineer, state=State.ACTIVE)
    make_token(engineer, state=State.EXPIRED, may_exist_at_aws=True)
    make_token(engineer, state=State.EXPIRED)
    account = catalog.deployer
    ListedToken.objects.create(service_account=account, aws_id="1", name="x", drift=Drift.FOREIGN)
    ListedToken.objects.create(service_account=account, aws_id="2", name="y")
    found = scraped()
    here = f'workspace="{account.workspace.aws_id}"'
    kinds = [
        found[f'portal_workspace_tokens{{kind="{kind}",{here}}}']
        for kind in ("live", "expired", "foreign")
    ]
    assert kinds == [2, 1, 1]


def test_every_event_of_the_log_that_ends_a_request_is_counted() -> None:
    """Whoever adds a way to end must say what it is called."""
    ends = {move.event for move in moves.MOVES if move.ends and move.event}
    assert ends <= set(history._COUNTED)
    assert AuditEvent.objects.count() == 0
