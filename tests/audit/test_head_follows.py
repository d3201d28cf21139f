"""The head is the last event, whoever writes: nothing is left that stops every later action."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction

from portal import audit
from portal.audit import SYSTEM, rows
from portal.audit.chain import Head
from portal.audit.head import read_head
from portal.flows.verify_audit import verify_audit
from portal.models import Action, AuditEvent, AuditHead
from tests.audit.conftest import EVENTS
from tests.audit.tampering import content

pytestmark = pytest.mark.django_db

IS_POSTGRESQL = connection.vendor == "postgresql"


def insert(seq: int, **columns: object) -> None:
    """An event as anybody who may insert can write one, without its head."""
    AuditEvent.objects.create(seq=seq, **(content(EVENTS) | columns))


def last_hash() -> str:
    return AuditEvent.objects.latest("seq").hash


OUT_OF_PLACE: dict[str, Callable[[], object]] = {
    "the next number, after another event": lambda: insert(EVENTS + 1, prev_hash="f" * 64),
    "a number further on": lambda: insert(EVENTS + 2, prev_hash=last_hash()),
    "a number far away": lambda: insert(2**62, prev_hash=last_hash()),
    "before the first": lambda: insert(0, prev_hash="0" * 64),
    "below zero": lambda: insert(-5, prev_hash=last_hash()),
    "the head ahead": lambda: AuditHead.objects.update(seq=EVENTS + 1),
    "the head far ahead": lambda: AuditHead.objects.update(seq=2**62),
    "the head at an older event": lambda: AuditHead.objects.update(
        seq=5, hash=AuditEvent.objects.get(seq=5).hash
    ),
    "the head with another hash": lambda: AuditHead.objects.update(hash="f" * 64),
}


@pytest.mark.parametrize("what", OUT_OF_PLACE)
def test_what_is_out_of_place_is_refused_and_the_log_goes_on(
    log: list[AuditEvent], what: str
) -> None:
    before = read_head()[0]
    with pytest.raises(IntegrityError, match="audit log"), transaction.atomic():
        OUT_OF_PLACE[what]()
    assert read_head()[0] == before
    with transaction.atomic():
        audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
    assert verify_audit(actor=SYSTEM).intact


def test_an_event_never_stands_without_its_head(log: list[AuditEvent]) -> None:
    """PostgreSQL refuses it. On SQLite the head follows by itself, and the log goes on."""
    follows = {"prev_hash": last_hash(), "hash": "e" * 64}
    if IS_POSTGRESQL:
        with pytest.raises(IntegrityError, match="together with its head"), transaction.atomic():
            insert(EVENTS + 1, **follows)
        return
    insert(EVENTS + 1, **follows)
    assert read_head()[0] == Head(EVENTS + 1, "e" * 64)
    with transaction.atomic():
        audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
    assert verify_audit(actor=SYSTEM).seq == EVENTS + 1, "it is no event, and that is told"


def test_many_events_are_written_at_once(log: list[AuditEvent]) -> None:
    with transaction.atomic():
        changes = [(f"+ team more-{number}", None) for number in range(50)]
        audit.record_many(Action.ACCESS_CHANGED, changes, actor=SYSTEM, reason="")
        audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
    assert verify_audit(actor=SYSTEM).seq == EVENTS + 51


def test_events_whose_head_stops_short_of_them_are_refused(log: list[AuditEvent]) -> None:
    first, second = (AuditEvent(**content(EVENTS)) for _ in range(2))
    first.seq, first.prev_hash, first.hash = EVENTS + 1, last_hash(), "a" * 64
    second.seq, second.prev_hash, second.hash = EVENTS + 2, "a" * 64, "b" * 64
    written = [[*rows.known(one), *rows.linked(one)] for one in (first, second)]
    with pytest.raises(IntegrityError, match="audit log"), transaction.atomic():
        rows.write(written, Head(EVENTS + 1, "a" * 64))


if IS_POSTGRESQL:

    def test_a_temporary_table_does_not_stand_for_the_log(log: list[AuditEvent]) -> None:
        with connection.cursor() as cursor:
            for table in ("portal_auditevent", "portal_audithead"):
                cursor.execute(f"CREATE TEMPORARY TABLE {table} (LIKE public.{table})")
            cursor.execute("INSERT INTO portal_audithead VALUES (1, 99, 'x', '')")
            cursor.execute(
                "INSERT INTO portal_auditevent SELECT * FROM public.portal_auditevent WHERE seq = 5"
            )
            with pytest.raises(IntegrityError, match="together with its head"):
                cursor.execute(
                    "INSERT INTO public.portal_auditevent SELECT (jsonb_populate_record("
                    "event, jsonb_build_object('seq', 11, 'prev_hash', event.hash))).*"
                    " FROM public.portal_auditevent AS event WHERE seq = 10"
                )
