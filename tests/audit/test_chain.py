"""The chain as it is written: without gaps, in order, and saying what the columns say."""

import contextlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from portal import audit
from portal.audit import SYSTEM, Actor
from portal.audit.head import read_head
from portal.audit.verify import GENESIS
from portal.flows.verify_audit import verify_audit
from portal.models import Action, AuditEvent, Team, Token, User
from tests.audit import lock_order
from tests.conftest import acting

pytestmark = pytest.mark.django_db

WRITERS, EACH = 8, 25
IS_POSTGRESQL = connection.vendor == "postgresql"


def test_events_are_numbered_from_one_and_each_holds_the_hash_of_the_one_before(
    log: list[AuditEvent],
) -> None:
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    assert [event.prev_hash for event in log] == [GENESIS, *(event.hash for event in log[:-1])]
    head, at = read_head()
    assert head == (log[-1].seq, log[-1].hash)
    assert timedelta(0) <= at - log[-1].at < timedelta(minutes=1)


def test_what_is_taken_back_leaves_no_gap(log: list[AuditEvent]) -> None:
    with transaction.atomic():
        audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
        transaction.set_rollback(True)
    with transaction.atomic():
        first = audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
        second = audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
    assert (first.seq, second.seq) == (log[-1].seq + 1, log[-1].seq + 2)
    assert verify_audit(actor=SYSTEM).intact


def test_the_text_says_what_the_columns_say(
    make_token: Callable[..., Token], lead: User, engineer: User
) -> None:
    token = make_token(engineer, name="ci-deploy", aws_token_id="17", fingerprint="f" * 64)
    with transaction.atomic():
        audit.record(
            Action.TOKEN_FAILED,
            actor=acting(lead),
            token=token,
            aws_request_id="5b1c",
            error_code="AccessDeniedException",
            reason="“no”",
        )
    event = AuditEvent.objects.get()
    assert event.text.isascii()
    said = json.loads(event.text)
    assert said == {
        "seq": event.seq,
        "format": 1,
        "key_id": event.key_id,
        "at": event.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "action": "token.failed",
        "outcome": "failed",
        "actor": "lead@example.com",
        "actor_id": lead.pk,
        "team": "platform",
        "team_id": token.team_id,
        "token": str(token.pk),
        "token_name": "ci-deploy",
        "owner": "engineer@example.com",
        "owner_id": engineer.pk,
        "workspace": "g-00000000a1",
        "workspace_name": "observability",
        "service_account": "2",
        "service_account_name": "deployer",
        "grafana_role": "EDITOR",
        "seconds_to_live": 3600,
        "attempt": 0,
        "aws_token_id": "17",
        "aws_request_id": "5b1c",
        "fingerprint": "f" * 64,
        "error_code": "AccessDeniedException",
        "reason": "“no”",
        "subject": "",
        "count": None,
        "address": "192.0.2.7",
        "user_agent": "test",
    }


@pytest.mark.django_db(transaction=True)
def test_what_locks_more_after_the_head_is_seen() -> None:
    """tests/conftest.py watches over every other test; this is what they would fail for."""
    with transaction.atomic(), lock_order.watched() as locked_after:
        with transaction.atomic():
            Team.objects.create(slug="one")
            audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
        with transaction.atomic():
            Team.objects.create(slug="two")
        assert locked_after == []
        with transaction.atomic():
            audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
            Team.objects.create(slug="three")
        assert [sql.split()[0] for sql in locked_after] == ["INSERT"]


anything = st.text(st.characters(), max_size=60)


@hypothesis_settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    reason=anything,
    user_agent=anything,
    error_code=anything,
    address=st.none() | st.ip_addresses().map(str),
)
def test_whatever_is_said_the_database_gives_it_back_as_the_text_has_it(
    db: None, reason: str, user_agent: str, error_code: str, address: str | None
) -> None:
    """Quotes, line ends, half characters, zero bytes: AWS and browsers may send anything."""
    with transaction.atomic():
        audit.record(
            Action.TOKEN_FAILED,
            actor=Actor(address=address, user_agent=user_agent, unknown=True),
            token=None,
            error_code=error_code,
            reason=reason,
        )
    verdict = verify_audit(actor=SYSTEM)
    assert verdict.intact, verdict.text


def test_addresses_can_be_left_out(engineer: User, settings: Settings) -> None:
    settings.AUDIT_ADDRESSES = False
    with transaction.atomic():
        event = audit.record(Action.SIGNIN_SUCCEEDED, actor=acting(engineer))
    event.refresh_from_db()
    assert (event.address, event.user_agent, event.actor) == (None, "", engineer.email)
    assert "192.0.2.7" not in event.text


def test_an_event_costs_two_statements(db: None) -> None:
    """They lie on the way of every key, and from the first on everybody waits: no more of them
    unseen. SQLite, where a statement is no way there and back, takes a third."""
    statements = []

    def count(execute: Callable[..., object], sql: str, *others: object) -> object:
        statements.append(sql.split()[0])
        return execute(sql, *others)

    with transaction.atomic(), connection.execute_wrapper(count):
        audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
    two = ["SELECT", "WITH"]
    assert statements == (two if IS_POSTGRESQL else ["SELECT", "INSERT", "UPDATE"])


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_write_one_chain() -> None:
    start = threading.Barrier(WRITERS)

    def write(writer: int) -> None:
        start.wait()
        with contextlib.closing(connection):
            for number in range(EACH):
                with transaction.atomic():
                    audit.record(Action.ACCESS_CHANGED, actor=SYSTEM, subject=f"{writer} {number}")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    events = list(AuditEvent.objects.order_by("seq").values_list("seq", "at", "subject"))
    assert [seq for seq, _, _ in events] == list(range(1, WRITERS * EACH + 1))
    assert [at for _, at, _ in events] == sorted(at for _, at, _ in events)
    assert len({subject for _, _, subject in events}) == WRITERS * EACH
    assert verify_audit(actor=SYSTEM).intact
