"""The head can be mended by the tables' owner, and nothing that a key has hashed is taken out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import Settings

from portal import appendonly, audit
from portal.audit import SYSTEM
from portal.audit.head import read_head
from portal.flows.verify_audit import verify_audit
from portal.models import Action, AuditEvent, AuditHead
from tests.audit import tampering
from tests.audit.conftest import EVENTS

pytestmark = pytest.mark.django_db
IS_POSTGRESQL = connection.vendor == "postgresql"


def mend(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """How the command ends, and what it says."""
    status = 0
    try:
        call_command("mend_audit", *arguments)
    except SystemExit as ended:
        status = int(ended.code or 0)
    said = capsys.readouterr()
    return status, said.out + said.err


def row_that_is_no_event(seq: int = EVENTS + 1, hash_: str = "e" * 64) -> None:
    """Written by the tables' owner, or before triggers held events to the head."""
    tampering.take_down_triggers()
    before = AuditEvent.objects.get(seq=seq - 1)
    tampering.put(seq, like=EVENTS, prev_hash=before.hash, hash=hash_)
    appendonly.put_up()


def record() -> AuditEvent:
    with transaction.atomic():
        return audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)


WRONG_HEADS: dict[str, Callable[[], object]] = {
    "missing": lambda: AuditHead.objects.all().delete(),
    "behind": lambda: AuditHead.objects.update(seq=7, hash=AuditEvent.objects.get(seq=7).hash),
    "ahead": lambda: AuditHead.objects.update(seq=2**62),
    "another hash": lambda: AuditHead.objects.update(hash="0" * 64),
}


@pytest.mark.parametrize("wrong", WRONG_HEADS)
def test_the_head_becomes_the_last_event_and_an_event_says_so(
    log: list[AuditEvent], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tampering.take_down_triggers()
    WRONG_HEADS[wrong]()
    appendonly.put_up()
    status, said = mend(capsys)
    assert (status, said[:8]) == (0, "mended: ")
    told = AuditEvent.objects.get(seq=EVENTS + 1)
    assert told.action == Action.SETTINGS_CHANGED
    assert told.subject.startswith("the head of the audit log was ")
    assert told.subject.endswith(f"and is event {EVENTS}")
    record()
    assert verify_audit(actor=SYSTEM).intact


def test_a_head_that_is_right_is_left_alone(
    log: list[AuditEvent], capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_head()[0]
    assert mend(capsys) == (0, "nothing to mend\n")
    assert read_head()[0] == before


def test_a_row_that_no_key_has_hashed_is_taken_out_where_it_is_named(
    log: list[AuditEvent], capsys: pytest.CaptureFixture[str]
) -> None:
    row_that_is_no_event()
    status, said = mend(capsys)
    assert status == 1
    assert f"take them out with --take-out {EVENTS + 1}" in said
    assert AuditEvent.objects.count() == EVENTS + 1, "nothing happens unasked"
    assert mend(capsys, "--take-out", str(EVENTS))[0] == 1, "not from an event on"

    status, said = mend(capsys, "--take-out", str(EVENTS + 1))
    row, mended = said.splitlines()
    assert (json.loads(row)["seq"], json.loads(row)["hash"]) == (EVENTS + 1, "e" * 64)
    assert f"rows {EVENTS + 1} to {EVENTS + 1} were no events: SHA-256 " in mended
    assert AuditEvent.objects.get(seq=EVENTS + 1).subject == mended.removeprefix("mended: ")
    assert appendonly.missing(connection) == []
    record()
    assert verify_audit(actor=SYSTEM).intact


def test_an_event_that_was_copied_to_another_number_is_none(
    log: list[AuditEvent], capsys: pytest.CaptureFixture[str]
) -> None:
    tampering.take_down_triggers()
    tampering.put(EVENTS + 1, like=EVENTS)
    appendonly.put_up()
    assert mend(capsys, "--take-out", str(EVENTS + 1))[0] == 0
    assert verify_audit(actor=SYSTEM).intact


def test_what_is_followed_by_an_event_stays(
    log: list[AuditEvent], capsys: pytest.CaptureFixture[str]
) -> None:
    row_that_is_no_event()
    tampering.take_down_triggers()
    tampering.set_head_to(EVENTS + 1)
    appendonly.put_up()
    record()
    assert mend(capsys, "--take-out", str(EVENTS + 1)) == (0, "nothing to mend\n")
    assert verify_audit(actor=SYSTEM).seq == EVENTS + 1


def test_with_other_keys_nothing_is_taken_out(
    log: list[AuditEvent], capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    settings.AUDIT_KEY = "a key of which this log knows nothing"
    status, said = mend(capsys, "--take-out", "1")
    assert (status, "are these the log's keys?" in said) == (1, True)
    assert AuditEvent.objects.count() == EVENTS


def test_an_older_key_alone_takes_out_nothing_that_stands_under_the_one_that_followed(
    log: list[AuditEvent], capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    old, settings.AUDIT_KEY = settings.AUDIT_KEY, "the key that is in use from this day on"
    settings.AUDIT_KEYS_RETIRED = [old]
    record()
    settings.AUDIT_KEY, settings.AUDIT_KEYS_RETIRED = old, []
    status, said = mend(capsys, "--take-out", str(EVENTS + 1))
    assert (status, "has followed one of yours" in said) == (1, True)
    assert AuditEvent.objects.count() == EVENTS + 2


def test_what_was_published_as_the_head_stays(
    log: list[AuditEvent],
    capsys: pytest.CaptureFixture[str],
    settings: Settings,
    tmp_path: Path,
) -> None:
    row_that_is_no_event()
    settings.AUDIT_HEAD_FILE = str(tmp_path / "heads.jsonl")
    head = {"seq": EVENTS + 1, "hash": "e" * 64, "at": "2026-11-28T00:00:00.000000Z"}
    Path(settings.AUDIT_HEAD_FILE).write_text(f"{json.dumps(head)}\n")
    status, said = mend(capsys, "--take-out", str(EVENTS + 1))
    assert (status, "was published as the head, and stays" in said) == (1, True)


if IS_POSTGRESQL:

    def test_the_runtime_role_can_mend_nothing(
        log: list[AuditEvent], capsys: pytest.CaptureFixture[str]
    ) -> None:
        role = Path(django_settings.BASE_DIR) / "deploy" / "postgresql_runtime_role.sql"
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE portal_runtime")
            cursor.execute(role.read_text())
            cursor.execute("SET LOCAL ROLE portal_runtime")
        status, said = mend(capsys)
        assert (status, "permission denied" in said) == (1, True)
