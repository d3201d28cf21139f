"""Whatever fails when, a request comes to its right end by itself, and leaves no orphan.

All faults are played on one running product (`play.py`); each is a test of its own here.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests import environment
from tests.environment import CHAOS
from tests.product import ROOT, Product, within
from tests.reliability import matrix
from tests.reliability.ledger import Ledger
from tests.reliability.matrix import FAULTS, Fault
from tests.reliability.play import play
from tests.reliability.stage import Broker, Stage

SCHEDULER_DEAD_FOR = 600.0 if CHAOS else 8.0
LATEST_EFFECT = 40.0
SETTLED_WITHIN = 60.0
RESULTS = ROOT / "var" / "chaos"


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    broker = Broker()
    settings = {"PORTAL_WORKER_PROCESSES": "20", "PORTAL_UNCLAIMED_SECONDS": "15"}
    with Product(**settings, **broker.settings) as product:
        broker.belongs_to(product)
        stage = Stage(product, broker)
        try:
            play(stage, scheduler_dead_for=SCHEDULER_DEAD_FOR)
            assert within(LATEST_EFFECT, lambda: all_creates_are_over(stage))
            if CHAOS:
                assert within(SETTLED_WITHIN, lambda: is_settled(stage))
            ledger = Ledger(stage)
            if CHAOS:
                write_down(ledger)
            yield ledger
        finally:
            stage.close()
    broker.close()


def all_creates_are_over(stage: Stage) -> bool:
    """Also those whose effect was to come late."""
    hung = [call for call in stage.sandbox.calls(matrix.CREATE) if call["fault"] == "hang late"]
    return all(call["effect"] is not None for call in hung)


def is_settled(stage: Stage) -> bool:
    """No create of unknown outcome is left from before the scheduler's ten minutes."""
    late = stage.asked[matrix.SCHEDULER_DEAD.id].id
    return not any(row.unresolved for row in stage.records.tokens() if row.id != late)


def write_down(ledger: Ledger) -> Path:
    RESULTS.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = RESULTS / f"matrix-{environment.STACK}.json"
    rows = {id: asdict(seen) for id, seen in ledger.seen.items()}
    path.write_text(json.dumps({"stack": environment.STACK, "rows": rows}, indent=1) + "\n")
    return path


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
class TestARequest:
    def test_comes_to_its_right_end_by_itself(self, fault: Fault, ledger: Ledger) -> None:
        seen = ledger.seen[fault.id]
        assert seen.end == fault.ends
        assert seen.seconds is not None, "its page came to an end too"

    def test_leaves_no_orphan(self, fault: Fault, ledger: Ledger) -> None:
        assert ledger.seen[fault.id].orphans == 0

    def test_is_delivered_once_and_its_key_works(self, fault: Fault, ledger: Ledger) -> None:
        seen = ledger.seen[fault.id]
        assert seen.deliveries == fault.deliveries
        assert seen.audit.count("token.delivered") == fault.deliveries
        if fault.deliveries:
            assert seen.key_works is (fault.ends == "active")

    def test_stands_in_the_audit_log_whole_and_in_order(self, fault: Fault, ledger: Ledger) -> None:
        assert ledger.seen[fault.id].audit_fault == ""

    def test_tells_its_person_the_truth(self, fault: Fault, ledger: Ledger) -> None:
        seen = ledger.seen[fault.id]
        assert any(re.search(fault.told, message) for message in seen.told) or not fault.told
        assert re.search(fault.told_at_the_end, seen.told_at_the_end), seen.told_at_the_end
        assert not any(re.search(matrix.DELIVERED, message) for message in seen.told)


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.orphan], ids=lambda fault: fault.id
)
def test_the_orphan_was_made_and_was_removed(fault: Fault, ledger: Ledger) -> None:
    seen = ledger.seen[fault.id]
    assert seen.audit.count("token.orphan_removed") == seen.creates - seen.deliveries > 0


def test_live_tokens_at_aws_minus_keys_delivered_is_0(ledger: Ledger) -> None:
    assert ledger.live_minus_delivered == 0


def test_the_log_speaks_of_every_token_that_aws_has_made(ledger: Ledger) -> None:
    assert ledger.unheard_of == []


def test_every_request_id_in_the_log_is_one_of_awss(ledger: Ledger) -> None:
    assert ledger.unknown_request_ids == []


@pytest.mark.parametrize(
    "fault",
    [
        matrix.BEFORE_THE_CALL,
        matrix.DURING_THE_CALL,
        matrix.BEFORE_THE_COMMIT,
        matrix.AFTER_THE_COMMIT,
    ],
    ids=lambda fault: fault.id,
)
def test_the_worker_died_where_it_was_to_die(fault: Fault, ledger: Ledger) -> None:
    assert ledger.seen[fault.id].notes == {"in_position": True}


def test_a_strangers_token_is_left_alone(ledger: Ledger) -> None:
    assert ledger.strangers_that_are_gone == set()


def test_five_messages_make_one_attempt(ledger: Ledger) -> None:
    seen = ledger.seen[matrix.FIVE_MESSAGES.id]
    assert seen.notes["messages"] == 5
    assert seen.creates == 1


def test_what_was_queued_was_lost_and_found_again(ledger: Ledger) -> None:
    emptied = ledger.seen[matrix.EMPTIED.id]
    assert emptied.notes == {"was_queued": True, "still_waits": True}
    assert ledger.seen[matrix.STOPPED_QUEUED.id].notes == {"was_queued": True}


def test_a_double_click_does_everything_once(ledger: Ledger) -> None:
    requested = ledger.seen[matrix.CLICK_REQUEST.id]
    assert requested.notes == {"answers": [302] * 5, "tokens": 1, "rows": 1}
    assert requested.creates == 1
    assert ledger.seen[matrix.CLICK_DELIVERED.id].notes == {"answers": [200] * 5}
    for fault in (matrix.CLICK_REVOKE, matrix.CLICK_CANCEL):
        seen = ledger.seen[fault.id]
        assert seen.notes == {"answers": [302, 409, 409, 409, 409]}
    assert ledger.seen[matrix.CLICK_CANCEL.id].creates == 0


def test_three_sweeps_end_an_unclaimed_key_once(ledger: Ledger) -> None:
    seen = ledger.seen[matrix.THREE_SWEEPS.id]
    assert seen.audit == ["token.requested", "token.issued", "token.unclaimed", "token.revoked"]


def test_a_request_waits_for_the_scheduler_and_then_goes_on(ledger: Ledger) -> None:
    seen = ledger.seen[matrix.SCHEDULER_DEAD.id]
    assert seen.notes == {"waits": "queued", "dead_for": SCHEDULER_DEAD_FOR}
    assert seen.seconds is not None
    assert seen.seconds > SCHEDULER_DEAD_FOR
