"""Keys of the log serve one after another; who holds an older one can neither change nor add."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import transaction
from pytest_django import Settings

from portal import audit
from portal.audit import SYSTEM, chain, keys, recording, rows
from portal.audit.chain import Head
from portal.audit.head import lock_head, read_head
from portal.audit.succession import WrongKeyError, replaced_at
from portal.audit.verify import BrokenError, key_id, succession, verify_export
from portal.flows.verify_audit import Verdict, verify_audit
from portal.models import Action, AuditEvent, AuditHead, Outcome
from tests.audit import tampering
from tests.audit.conftest import EVENTS, Said

pytestmark = pytest.mark.django_db

SECOND, THIRD = "the second key of this log, for tests", "the third key of this log, for tests"
Export = Callable[..., Path]


def record(key: str = "") -> AuditEvent:
    """One event; where a key is given, as a version before this one writes under it."""
    if not key:
        with transaction.atomic():
            return audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)
    event = AuditEvent(action=Action.SIGNIN_SUCCEEDED, outcome=Outcome.SUCCEEDED, actor="portal")
    with transaction.atomic():
        head, event.at = lock_head()
        event.seq, event.format, event.key_id = head.seq + 1, 1, key_id(key.encode())
        link = chain.link(key.encode(), head, event.at, chain.body(rows.told(event)))
        event.text, event.prev_hash, event.hash = link
        before = AuditHead.objects.get().key_id
        rows.write([[*rows.known(event), *rows.linked(event)]], Head(event.seq, event.hash))
        AuditHead.objects.update(key_id=before)
    return event


def start() -> None:
    recording.name_key()


@pytest.fixture
def rotate(settings: Settings) -> Callable[[str], str]:
    """Replace AUDIT_KEY as the settings do; returns the one before it."""

    def rotate(new: str) -> str:
        old: str = settings.AUDIT_KEY
        settings.AUDIT_KEYS_RETIRED = [*settings.AUDIT_KEYS_RETIRED, old]
        settings.AUDIT_KEY = new
        return old

    return rotate


Rotate = Callable[[str], str]


def verify() -> Verdict:
    return verify_audit(actor=SYSTEM)


def broken(at: int, why: str) -> None:
    verdict = verify()
    assert (verdict.intact, verdict.seq) == (False, at), verdict.text
    assert why in verdict.text


# -- A key follows another ----------------------------------------------------------------------


def test_the_first_event_under_a_new_key_is_signed_by_both(
    log: list[AuditEvent], rotate: Rotate
) -> None:
    old = rotate(SECOND)
    last = record()
    assert last.seq == EVENTS + 2
    handed_over = AuditEvent.objects.get(seq=EVENTS + 1)
    assert (handed_over.action, handed_over.actor) == (Action.SETTINGS_CHANGED, "portal")
    assert handed_over.subject == succession(old.encode(), log[-1].hash, key_id(SECOND.encode()))
    assert key_id(old.encode()) in handed_over.subject
    assert {handed_over.key_id, last.key_id} == {key_id(SECOND.encode())}
    verdict = verify()
    assert verdict.intact
    assert [line.partition(", since")[0] for line in verdict.keys] == [
        f"key {key_id(old.encode())} (retired): events 1 to {EVENTS}",
        f"key {key_id(SECOND.encode())} (AUDIT_KEY): events {EVENTS + 1} to {EVENTS + 2}",
    ]


def test_a_start_with_a_new_key_hands_over_at_once_and_once(
    log: list[AuditEvent], rotate: Rotate
) -> None:
    rotate(SECOND)
    start()
    start()
    record()
    assert AuditEvent.objects.filter(action=Action.SETTINGS_CHANGED).count() == 1
    assert verify().intact


def test_keys_may_be_replaced_again_and_again(log: list[AuditEvent], rotate: Rotate) -> None:
    for key in (SECOND, THIRD):
        rotate(key)
        record()
    assert verify().intact
    assert replaced_at(SECOND.encode()) == EVENTS + 3


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_retired_keys_in_the_settings_does_not_matter(
    log: list[AuditEvent], rotate: Rotate, settings: Settings, order: int
) -> None:
    """No version has ever asked for one: the log tells."""
    for key in (SECOND, THIRD):
        rotate(key)
        record()
    settings.AUDIT_KEYS_RETIRED = settings.AUDIT_KEYS_RETIRED[::order]
    start()
    assert verify().intact


def test_a_retired_key_that_stands_nowhere_is_named(
    log: list[AuditEvent], settings: Settings
) -> None:
    """As after a log that was written anew from its first event on."""
    settings.AUDIT_KEYS_RETIRED = [SECOND]
    assert f"key {key_id(SECOND.encode())} (retired): no event" in verify().keys


# -- What who holds an older key can't do -------------------------------------------------------


def test_with_an_older_key_and_the_tables_nothing_before_the_new_key_can_be_changed(
    log: list[AuditEvent], rotate: Rotate
) -> None:
    """An event was deleted and all others signed anew, and the log was called intact."""
    old = rotate(SECOND)
    start()
    tampering.take_down_triggers()
    tampering.close_up(5)
    tampering.forge_from(5, old.encode())
    broken(EVENTS, "not under AUDIT_KEY")


def test_nor_can_the_end_be_forged_up_to_the_new_key(log: list[AuditEvent], rotate: Rotate) -> None:
    old = rotate(SECOND)
    start()
    tampering.take_down_triggers()
    for one in range(5, EVENTS + 1):
        if one > 5:
            tampering.change(one, prev_hash=AuditEvent.objects.get(seq=one - 1).hash)
        tampering.forge(one, old.encode(), actor="somebody else")
    broken(EVENTS + 1, "does not follow from the event before it")


def test_a_log_that_was_cut_off_before_the_new_key_is_broken(
    log: list[AuditEvent], rotate: Rotate
) -> None:
    rotate(SECOND)
    record()
    tampering.take_down_triggers()
    tampering.delete(EVENTS + 1, EVENTS + 2)
    tampering.set_head_to(EVENTS)
    broken(EVENTS, "the end was cut off")


def test_an_event_under_an_older_key_after_a_newer_one_is_broken(
    log: list[AuditEvent], rotate: Rotate
) -> None:
    old = rotate(SECOND)
    record()
    late = record(old)
    record()
    broken(late.seq, f"which was replaced at event {EVENTS + 1}")


def test_a_new_key_that_the_old_one_has_not_signed_is_broken(
    log: list[AuditEvent], rotate: Rotate
) -> None:
    """Who holds the new key alone can't cut off the end of what the old one has hashed."""
    start()  # from here on
    rotate(SECOND)
    record(SECOND)
    broken(EVENTS + 2, "the one before it has not signed")


def test_a_signature_for_another_place_is_none(log: list[AuditEvent], rotate: Rotate) -> None:
    rotate(SECOND)
    start()
    subject = AuditEvent.objects.get(seq=EVENTS + 1).subject
    tampering.take_down_triggers()
    tampering.delete(EVENTS)
    tampering.change(EVENTS + 1, seq=EVENTS, prev_hash=log[-2].hash)
    tampering.forge(EVENTS, SECOND.encode(), subject=subject)
    tampering.set_head_to(EVENTS)
    broken(EVENTS, "the one before it has not signed")


def test_a_cut_log_does_not_go_on_under_a_new_key_where_its_head_was_published(
    log: list[AuditEvent], rotate: Rotate, settings: Settings, tmp_path: Path
) -> None:
    """Else the next start would hand over once more, and all would hold together."""
    settings.AUDIT_HEAD_FILE = str(tmp_path / "heads.jsonl")
    old = rotate(SECOND)
    last = record()
    head = {"seq": last.seq, "hash": last.hash, "at": chain.moment(last.at)}
    Path(settings.AUDIT_HEAD_FILE).write_text(f"{json.dumps(head)}\n")
    tampering.take_down_triggers()
    tampering.delete(EVENTS + 1, EVENTS + 2)
    tampering.forge_from(5, old.encode())
    AuditHead.objects.update(key_id=key_id(old.encode()))
    for way in (start, record):
        with pytest.raises(WrongKeyError, match="is not the one that was published"):
            way()
    assert read_head()[0].seq == EVENTS


# -- Who may write ------------------------------------------------------------------------------


def test_a_process_whose_key_was_replaced_writes_nothing_any_more(
    log: list[AuditEvent], rotate: Rotate, settings: Settings
) -> None:
    old = rotate(SECOND)
    record()
    settings.AUDIT_KEY, settings.AUDIT_KEYS_RETIRED = old, []
    for way in (start, record):
        with pytest.raises(WrongKeyError, match=r"has been replaced: .* start this process with"):
            way()
    settings.AUDIT_KEYS_RETIRED = [SECOND]  # swapped
    for way in (start, record):
        with pytest.raises(WrongKeyError, match=r"has been replaced|are they swapped"):
            way()
    settings.AUDIT_KEY, settings.AUDIT_KEYS_RETIRED = SECOND, [old]
    assert verify().intact


def test_a_key_of_which_the_log_knows_nothing_writes_nothing(
    log: list[AuditEvent], settings: Settings
) -> None:
    settings.AUDIT_KEY = SECOND
    for way in (start, record):
        with pytest.raises(WrongKeyError, match=r"neither AUDIT_KEY .* nor one of"):
            way()


def test_a_new_key_without_the_one_before_it_writes_nothing(
    log: list[AuditEvent], rotate: Rotate, settings: Settings
) -> None:
    """Two keys later: the first is still named, and the second was forgotten."""
    first = rotate(SECOND)
    record()
    settings.AUDIT_KEY, settings.AUDIT_KEYS_RETIRED = THIRD, [first]
    with pytest.raises(WrongKeyError, match="neither AUDIT_KEY"):
        start()


def test_whoever_holds_no_key_can_neither_stop_a_start_nor_an_event(log: list[AuditEvent]) -> None:
    """A row that the database's role adds is no event, whatever it says."""
    start()
    head = read_head()[0]
    subject = f"AUDIT_KEY {'f' * 16} after {key_id(keys.current())}, signed {'0' * 64}"
    text = {"action": Action.SETTINGS_CHANGED, "subject": subject, "key_id": "f" * 16}
    row = AuditEvent(outcome=Outcome.SUCCEEDED, format=1, at=log[0].at, seq=head.seq + 1, **text)
    row.text, row.prev_hash, row.hash = json.dumps(text), head.hash, "e" * 64
    with transaction.atomic():
        rows.write([[*rows.known(row), *rows.linked(row)]], Head(row.seq, row.hash))
        AuditHead.objects.update(key_id="f" * 16)
    start()
    record()
    assert AuditHead.objects.get().key_id == key_id(keys.current())
    assert verify().seq == row.seq, "it is told"


# -- Logs of before -----------------------------------------------------------------------------


def test_a_key_that_was_replaced_before_this_version_needs_no_signature(
    log: list[AuditEvent], rotate: Rotate
) -> None:
    rotate(SECOND)
    record(SECOND)
    record(SECOND)
    start()
    assert verify().intact
    assert AuditEvent.objects.latest("seq").subject != ""
    rotate(THIRD)
    start()
    assert verify().intact
    rotate("a fourth key, which was put in by hand")
    record("a fourth key, which was put in by hand")
    assert not verify().intact


def test_keys_that_were_replaced_before_this_version_can_not_be_swapped_either(
    log: list[AuditEvent], rotate: Rotate, settings: Settings
) -> None:
    old = rotate(SECOND)
    record(SECOND)
    settings.AUDIT_KEY, settings.AUDIT_KEYS_RETIRED = old, [SECOND]
    with pytest.raises(WrongKeyError, match="are they swapped"):
        start()


def test_a_process_of_the_version_before_may_write_beside_this_one(log: list[AuditEvent]) -> None:
    start()
    current = keys.current().decode()
    for _ in range(3):
        record(current)
        record()
    assert verify().intact


def test_the_first_start_says_which_key_serves_and_only_once(log: list[AuditEvent]) -> None:
    start()
    start()
    named = AuditEvent.objects.get(seq=EVENTS + 1)
    assert (named.action, named.subject) == (
        Action.SETTINGS_CHANGED,
        f"AUDIT_KEY {key_id(keys.current())}",
    )
    assert read_head()[0].seq == EVENTS + 1


def test_an_empty_log_begins_with_the_name_of_its_key(db: None) -> None:
    start()
    assert AuditEvent.objects.get().subject == f"AUDIT_KEY {key_id(keys.current())}"
    assert verify().intact


# -- Exports ------------------------------------------------------------------------------------


def test_an_export_says_under_which_keys_it_stands(
    log: list[AuditEvent], rotate: Rotate, export: Export, elsewhere: Callable[..., Said]
) -> None:
    old = rotate(SECOND)
    record()
    said = elsewhere(export(), AUDIT_KEY=SECOND, AUDIT_KEYS_RETIRED=old)
    assert said.status == 0
    lines = said.text.splitlines()
    assert lines[1].startswith(f"key {key_id(old.encode())} (retired): events 1 to {EVENTS}, since")
    assert lines[2].startswith(f"key {key_id(SECOND.encode())} (AUDIT_KEY): events {EVENTS + 1} to")
    assert lines[3] == f"trailer: under the key {key_id(SECOND.encode())} (AUDIT_KEY)"


def test_an_export_that_was_kept_from_before_stays_good_and_says_who_could_have_written_it(
    log: list[AuditEvent], rotate: Rotate, export: Export
) -> None:
    kept = export()
    old = rotate(SECOND)
    start()
    with kept.open("rb") as file:
        said = verify_export(file, keys.every(), {})
    assert said.splitlines()[-2:] == [
        f"key {key_id(SECOND.encode())} (AUDIT_KEY): no event",
        f"trailer: under the key {key_id(old.encode())} (retired): whoever has that can have "
        "written all of this",
    ]


def test_a_trailer_under_a_key_that_was_replaced_before_the_last_event_is_broken(
    log: list[AuditEvent], rotate: Rotate, settings: Settings, export: Export
) -> None:
    old = rotate(SECOND)
    record()
    settings.AUDIT_KEY = old
    forged = export()
    settings.AUDIT_KEY = SECOND
    with forged.open("rb") as file, pytest.raises(BrokenError, match="its trailer is under the ke"):
        verify_export(file, keys.every(), {})


def test_a_filtered_export_may_lack_the_event_by_which_a_key_followed(
    log: list[AuditEvent], rotate: Rotate, export: Export
) -> None:
    rotate(SECOND)
    record()
    for action in ("signin.succeeded", "access.changed", "settings.changed"):
        with export(action=action).open("rb") as file:
            assert f"(AUDIT_KEY): {'no event' if action[0] == 'a' else 'events '}" in verify_export(
                file, keys.every(), {}
            )
