"""The head goes to places that the database's owner does not reach, and stays there."""

import json
import logging
import resource
from pathlib import Path

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import transaction
from pytest_django import Settings

from portal import audit
from portal.audit import SYSTEM
from portal.audit.publishing import publish_head
from portal.models import Action, AuditEvent, AuditHead
from tests.audit import tampering
from tests.audit.conftest import EVENTS

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(settings: Settings, tmp_path: Path) -> Path:
    """Where heads are published to, and a mailbox."""
    path = tmp_path / "heads.jsonl"
    settings.AUDIT_HEAD_FILE = str(path)
    settings.AUDIT_HEAD_MAIL = ["security@example.com"]
    return path


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def one_more() -> AuditEvent:
    with transaction.atomic():
        return audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)


def test_the_head_goes_to_log_file_and_mail(
    log: list[AuditEvent], file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="portal.audit.publishing")
    assert publish_head()
    [line] = lines(file)
    assert (line["seq"], line["hash"]) == (EVENTS, log[-1].hash)
    [record] = caplog.records
    assert (record.message, record.seq, record.hash) == ("audit.head", EVENTS, log[-1].hash)  # type: ignore[attr-defined]  # ours
    [letter] = mail.outbox
    assert (letter.to, letter.subject) == (["security@example.com"], f"Audit log: event {EVENTS}")
    assert json.loads(str(letter.body)) == line


def test_only_a_head_that_has_moved_is_published(log: list[AuditEvent], file: Path) -> None:
    publish_head()
    publish_head()
    assert len(lines(file)) == len(mail.outbox) == 1
    event = one_more()
    publish_head()
    assert [line["seq"] for line in lines(file)] == [EVENTS, event.seq]


def test_without_a_file_a_head_is_mailed_once_whoever_publishes_it(
    log: list[AuditEvent], file: Path, settings: Settings
) -> None:
    """A sweep by hand beside the schedulers, and each scheduler beside the others."""
    settings.AUDIT_HEAD_FILE = ""
    publish_head()
    publish_head()
    assert len(mail.outbox) == 1
    event = one_more()
    publish_head()
    assert [letter.subject for letter in mail.outbox][1:] == [f"Audit log: event {event.seq}"]


def test_an_empty_log_has_no_head_to_publish(db: None, file: Path) -> None:
    assert publish_head()
    assert not file.exists()
    assert mail.outbox == []


def test_a_cut_off_end_is_said_at_once_and_the_file_keeps_what_it_knew(
    log: list[AuditEvent], file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_head()
    tampering.take_down_triggers()
    tampering.delete(9, 10)
    tampering.set_head_to(8)
    one_more()
    assert not publish_head()
    assert [line["seq"] for line in lines(file)] == [EVENTS]
    assert caplog.records[-1].message == "audit.head_contradicted"
    assert mail.outbox[-1].subject == "Audit log: verify it now"
    one_more()
    one_more()
    assert not publish_head(), "another event has its number now"
    with pytest.raises(SystemExit) as ended:
        call_command("verify_audit")
    assert ended.value.code == 1


def test_a_lost_head_is_said(log: list[AuditEvent], file: Path) -> None:
    AuditHead.objects.all().delete()
    assert not publish_head()
    assert "verify_audit" in mail.outbox[-1].body


def test_a_place_that_takes_nothing_does_not_keep_it_from_the_others(
    log: list[AuditEvent], file: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AUDIT_HEAD_FILE = str(file / "not" / "there")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    caplog.set_level(logging.INFO, logger="portal.audit.publishing")
    assert publish_head()
    assert [record.message for record in caplog.records] == [
        "audit.head",
        "audit.head_not_written",
        "audit.head_not_mailed",
    ]


def test_half_a_line_for_which_there_was_no_room_is_taken_back(
    log: list[AuditEvent], file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_head()
    event = one_more()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 10, before[1]))
    try:
        publish_head()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "audit.head_not_written" in [record.message for record in caplog.records]
    assert publish_head()
    assert [line["seq"] for line in lines(file)] == [EVENTS, event.seq]


def test_the_sweep_publishes(log: list[AuditEvent], file: Path, enqueued: object) -> None:
    call_command("sweep")
    assert [line["seq"] for line in lines(file)] == [EVENTS], "before it moves anything itself"
