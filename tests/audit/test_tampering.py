"""Whatever is done to the log underneath, or to an export of it: verification names the first."""

import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from portal import audit
from portal.audit import SYSTEM, chain, keys
from portal.audit.head import read_head
from portal.audit.verify import BrokenError, UnreadableError, key_id, verify_export
from portal.flows.verify_audit import verify_audit
from portal.models import Action, AuditEvent, AuditHead, Outcome, Token, User
from tests.audit import tampering
from tests.audit.conftest import EVENTS, Said
from tests.audit.tampering import Lines, change, content, delete, forge, insert, put, swap

pytestmark = pytest.mark.django_db


# -- The database -------------------------------------------------------------------------------


def test_an_untouched_log_is_intact(log: list[AuditEvent]) -> None:
    verdict = verify_audit(actor=SYSTEM)
    assert (verdict.intact, verdict.seq) == (True, EVENTS)
    assert f"{EVENTS}:{log[-1].hash}" in verdict.text


def test_a_log_without_events_is_intact(db: None) -> None:
    assert verify_audit(actor=SYSTEM).intact


WAYS: dict[str, tuple[Callable[[], object], int | None]] = {
    "a column altered": (lambda: change(5, actor="somebody else"), 5),
    "a time altered": (lambda: change(5, at=content(5)["at"] + timedelta(milliseconds=1)), 5),
    "a column emptied": (lambda: change(5, subject=""), 5),
    "the text altered": (
        lambda: change(5, text=content(5)["text"].replace("portal", "nobody")),
        5,
    ),
    "a blank put into the text": (lambda: change(5, text=f"{content(5)['text']} "), 5),
    "the text emptied": (lambda: change(5, text=""), 5),
    "text and column altered alike": (
        lambda: change(5, actor="nobody", text=content(5)["text"].replace("portal", "nobody")),
        5,
    ),
    "the hash altered": (lambda: change(5, hash="0" * 64), 5),
    "the hash before altered": (lambda: change(5, prev_hash="0" * 64), 5),
    "the key's id altered": (lambda: change(5, key_id="0" * 16), 5),
    "the format altered": (lambda: change(5, format=2), 5),
    "forged with a made-up key": (lambda: forge(5, tampering.STRANGE_KEY, actor="nobody"), 5),
    "forged with a made-up key to the end": (
        lambda: tampering.forge_from(5, tampering.STRANGE_KEY),
        5,
    ),
    "the first forged": (lambda: forge(1, tampering.STRANGE_KEY, actor="nobody"), 1),
    "rewritten with the key, but not what follows": (
        lambda: forge(5, keys.current(), actor="nobody"),
        6,
    ),
    "the first missing": (lambda: delete(1), 1),
    "one missing": (lambda: delete(5), 5),
    "several missing": (lambda: delete(3, 5, 6), 3),
    "one missing and the rest moved up": (lambda: tampering.close_up(5), 5),
    "the last cut off": (lambda: delete(EVENTS), EVENTS),
    "the last three cut off": (lambda: delete(8, 9, 10), 8),
    "all of it deleted": (lambda: delete(*range(1, EVENTS + 1)), 1),
    "one inserted": (lambda: insert(5, like=5, actor="nobody"), 5),
    "a copy inserted": (lambda: insert(6, like=5), 6),
    "one put after the end": (lambda: put(EVENTS + 1, like=EVENTS), EVENTS + 1),
    "one put far after the end": (lambda: put(EVENTS + 5, like=EVENTS), EVENTS + 1),
    "one put before the beginning": (lambda: put(-1, like=1), -1),
    "two swapped": (lambda: swap(4, 5), 4),
    "two far apart swapped": (lambda: swap(2, 9), 2),
    "one put in another's place": (lambda: change(7, **content(3)), 7),
    "the head ahead": (lambda: AuditHead.objects.update(seq=EVENTS + 2), EVENTS + 1),
    "the head set back": (lambda: tampering.set_head_to(7), 8),
    "the head altered": (lambda: AuditHead.objects.update(hash="0" * 64), EVENTS),
    "the head deleted": (lambda: AuditHead.objects.all().delete(), None),
}


@pytest.mark.parametrize(("tamper", "first"), WAYS.values(), ids=WAYS)
def test_tampering_with_the_database_is_found(
    log: list[AuditEvent],
    capsys: pytest.CaptureFixture[str],
    tamper: Callable[[], object],
    first: int | None,
) -> None:
    tampering.take_down_triggers()
    tamper()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_audit")
    said = capsys.readouterr().out
    assert ended.value.code == 1
    assert said.startswith("broken: ")
    if first is not None:
        assert said.startswith(f"broken: event {first} "), said


def test_only_a_published_head_tells_that_end_and_head_were_cut_together(
    log: list[AuditEvent], tmp_path: Path, settings: Settings
) -> None:
    """This is why it is published: within the database nothing contradicts."""
    head, at = read_head()
    tampering.take_down_triggers()
    delete(9, 10)
    tampering.set_head_to(8)
    settings.AUDIT_HEAD_FILE = ""
    assert verify_audit(actor=SYSTEM).intact
    delete(9)
    tampering.set_head_to(8)
    settings.AUDIT_HEAD_FILE = str(tmp_path / "heads.jsonl")
    line = {"seq": head.seq, "hash": head.hash, "at": at.isoformat()}
    Path(settings.AUDIT_HEAD_FILE).write_text(f"{json.dumps(line)}\n")
    verdict = verify_audit(actor=SYSTEM)
    assert (verdict.intact, verdict.seq) == (False, 9)


def test_a_rewritten_log_contradicts_a_published_head(
    log: list[AuditEvent], tmp_path: Path, settings: Settings
) -> None:
    """Whoever has the key can make a chain that holds, but not one with the hashes of before."""
    settings.AUDIT_HEAD_FILE = str(tmp_path / "heads.jsonl")
    line = {"seq": 7, "hash": log[6].hash, "at": log[6].at.isoformat()}
    Path(settings.AUDIT_HEAD_FILE).write_text(f"{json.dumps(line)}\n")
    assert verify_audit(actor=SYSTEM).intact
    tampering.take_down_triggers()
    tampering.forge_from(5, keys.current())
    verdict = verify_audit(actor=SYSTEM)
    assert (verdict.intact, verdict.seq) == (False, 7)


def test_a_verification_is_an_event_itself(log: list[AuditEvent]) -> None:
    call_command("verify_audit", verbosity=0)
    good = AuditEvent.objects.latest("seq")
    assert (good.action, good.outcome, good.actor) == (
        Action.AUDIT_VERIFIED,
        Outcome.SUCCEEDED,
        "portal",
    )
    assert good.subject.startswith(f"{EVENTS} events")
    tampering.take_down_triggers()
    change(5, actor="nobody")
    assert not verify_audit(actor=SYSTEM).intact
    bad = AuditEvent.objects.latest("seq")
    assert (bad.action, bad.outcome) == (Action.AUDIT_VERIFIED, Outcome.FAILED)
    assert bad.subject.startswith("event 5 ")


def test_a_key_that_fits_nothing_is_no_proof_of_tampering(
    log: list[AuditEvent], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.AUDIT_KEY = "another key, of which the log knows nothing"
    with pytest.raises(SystemExit) as ended:
        call_command("verify_audit")
    assert ended.value.code == 2
    assert "unreadable: written with the key" in capsys.readouterr().err


# -- An export, on another machine --------------------------------------------------------------

Elsewhere = Callable[..., Said]
Export = Callable[..., Path]


def test_an_export_is_verified_by_one_module_and_the_file(
    log: list[AuditEvent], export: Export, elsewhere: Elsewhere
) -> None:
    said = elsewhere(export())
    key, since = key_id(keys.current()), chain.moment(log[0].at)
    assert said == Said(
        0,
        f"intact: {EVENTS} events, the whole log up to {EVENTS}:{log[-1].hash} "
        f"at {re.findall('at (.*)', said.text)[0]}\n"
        f"key {key} (AUDIT_KEY): events 1 to {EVENTS}, since {since}\n"
        f"trailer: under the key {key} (AUDIT_KEY)\n",
    )


def test_an_export_has_one_event_a_line_with_the_hashes_around_it(
    log: list[AuditEvent], export: Export
) -> None:
    *lines, last = [json.loads(line) for line in export().read_text().splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, EVENTS + 1))
    for line, event in zip(lines, log, strict=True):
        assert (line["prev_hash"], line["hash"]) == (event.prev_hash, event.hash)
        assert {
            *("seq", "at", "action", "outcome", "actor", "team", "token", "token_name"),
            *("workspace", "service_account", "aws_request_id"),
        } <= set(line)
    assert last["trailer"]["count"] == EVENTS
    assert last["trailer"]["filter"] == {}
    assert last["trailer"]["head"] == {"seq": EVENTS, "hash": log[-1].hash}


EXPORT_WAYS: dict[str, tuple[Callable[[Lines], Lines], int]] = {
    "an event altered": (tampering.on_line(5, b"portal", b"nobody"), 5),
    "a time altered": (tampering.on_line(5, b'"at":"20', b'"at":"21'), 5),
    "a member added": (tampering.on_line(5, b"}\n", b',"more":1}\n'), 5),
    "a number altered": (tampering.on_line(5, b'"seq":5', b'"seq":6'), 5),
    "a hash altered": (tampering.on_line(5, b'"hash":"', b'"hash":"x'), 5),
    "another key named": (tampering.on_line(1, b'"key_id":"', b'"key_id":"00'), 1),
    "the first line garbled": (lambda lines: [b"garbage\n", *lines[1:]], 1),
    "one missing": (tampering.without(5), 5),
    "the first missing": (tampering.without(1), 1),
    "the last missing": (tampering.without(EVENTS), EVENTS),
    "all missing but the trailer": (lambda lines: lines[-1:], 1),
    "the end cut off, trailer and all": (lambda lines: lines[:7], 8),
    "the end cut off within a line": (lambda lines: [*lines[:7], lines[7][:300]], 8),
    "the trailer missing": (lambda lines: lines[:-1], EVENTS + 1),
    "the trailer altered": (tampering.on_line(EVENTS + 1, b'"count":10', b'"count":11'), 11),
    "the trailer says it is filtered": (
        lambda lines: tampering.on_line(EVENTS, b'"filter":{}', b'"filter":{"q":"x"}')(
            tampering.without(5)(lines)
        ),
        EVENTS + 1,
    ),
    "one inserted": (
        lambda lines: [*lines[:4], lines[4].replace(b"portal", b"nobody"), *lines[4:]],
        5,
    ),
    "one twice in a row": (tampering.twice(5, after=5), 5),
    "one again later": (tampering.twice(5, after=8), 5),
    "two swapped": (tampering.reordered(4, 5), 4),
    "an event after the trailer": (lambda lines: [*lines, lines[0]], EVENTS + 1),
    "a space behind an event": (tampering.on_line(5, b"}\n", b"} \n"), 5),
}


@pytest.mark.parametrize(("tamper", "first"), EXPORT_WAYS.values(), ids=EXPORT_WAYS)
def test_tampering_with_an_export_is_found_elsewhere(
    log: list[AuditEvent],
    export: Export,
    elsewhere: Elsewhere,
    tamper: Callable[[Lines], Lines],
    first: int,
) -> None:
    path = export()
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))
    said = elsewhere(path)
    assert said.status == 1
    assert said.text.startswith(f"broken: event {first} "), said.text


def test_a_filtered_export_may_have_gaps(
    log: list[AuditEvent], export: Export, elsewhere: Elsewhere
) -> None:
    path = export(subject="+ team n4")
    said = elsewhere(path)
    assert (said.status, "1 events, filtered by" in said.text) == (0, True)


def test_a_filtered_export_tells_that_events_were_left_out_or_put_in(
    log: list[AuditEvent], export: Export, elsewhere: Elsewhere
) -> None:
    whole = export().read_bytes().splitlines(keepends=True)
    path = export(subject="+ team n4")
    line, trailer = path.read_bytes().splitlines(keepends=True)
    for lines in ([trailer], [whole[4], trailer], [line, whole[4], trailer]):
        path.write_bytes(b"".join(lines))
        said = elsewhere(path)
        assert (said.status, said.text[:8]) == (1, "broken: ")


def test_an_export_is_held_against_a_published_head(
    log: list[AuditEvent], export: Export, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    path = export()
    assert elsewhere(path, "--head", f"7:{log[6].hash}").status == 0
    another = elsewhere(path, "--head", f"7:{log[5].hash}")
    assert (another.status, another.text[:15]) == (1, "broken: event 7")
    beyond = elsewhere(path, "--head", f"{EVENTS + 2}:{log[5].hash}")
    assert (beyond.status, beyond.text[:16]) == (1, "broken: event 11")
    heads = tmp_path / "heads.jsonl"
    later = {"seq": EVENTS + 2, "hash": "0" * 64, "at": "2999-01-01T00:00:00.000000Z"}
    heads.write_text(f"{json.dumps(later)}\n")
    assert elsewhere(path, "--head", str(heads)).status == 0, "published after the export"
    heads.write_text(f"{json.dumps(later | {'at': '2001-01-01T00:00:00.000000Z'})}\n")
    assert elsewhere(path, "--head", str(heads)).status == 1, "published before it"


def test_what_cannot_be_read_is_said_in_one_line(
    log: list[AuditEvent], export: Export, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    path = export()
    strange = tmp_path / "strange.jsonl"
    strange.write_text('{"a": 1}\n')
    key_file = tmp_path / "key"
    key_file.write_text(f"{settings.AUDIT_KEY}\n")
    assert elsewhere(path, AUDIT_KEY="", AUDIT_KEY_FILE=str(key_file)).status == 0
    for said in (
        elsewhere(strange),
        elsewhere(tmp_path / "nothing.jsonl"),
        elsewhere(tmp_path),
        elsewhere(path, AUDIT_KEY=""),
        elsewhere(path, AUDIT_KEY="another key, of which the log knows nothing"),
        elsewhere(path, AUDIT_KEY_FILE=str(tmp_path / "nothing")),
        elsewhere(path, "--head", str(strange)),
    ):
        assert said.status == 2
        assert said.text.startswith("unreadable: ")
        assert len(said.text.splitlines()) == 1


def test_the_command_says_the_same_of_an_export(
    log: list[AuditEvent], export: Export, capsys: pytest.CaptureFixture[str]
) -> None:
    path = export()
    call_command("verify_audit", str(path))
    assert capsys.readouterr().out.startswith(f"intact: {EVENTS} events")
    path.write_bytes(path.read_bytes().replace(b"team n5", b"team x5"))
    for file, status in ((path, 1), (path.with_name("nothing"), 2)):
        with pytest.raises(SystemExit) as ended:
            call_command("verify_audit", str(file))
        assert ended.value.code == status
    assert AuditEvent.objects.count() == EVENTS, "verifying a file is no event of this log"


def _lines(whole: bytes) -> list[bytes]:
    return [line for line in re.split(rb"[\r\n]+", whole) if line]


@hypothesis_settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_single_byte_of_an_export_s_lines_can_change_unseen(
    log: list[AuditEvent], export: Export, data: st.DataObject
) -> None:
    whole = export().read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.binary(max_size=2).filter(lambda one: one != whole[place : place + 1]))
    tampered = whole[:place] + byte + whole[place + 1 :]
    # Where the line ends is no part of it.
    assume(_lines(tampered) != _lines(whole))
    with pytest.raises((BrokenError, UnreadableError)):
        verify_export(io.BytesIO(tampered), keys.every(), {})


# -- Tokens that nobody asked for ---------------------------------------------------------------


def told_of(token: Token, *actions: Action, subject: str) -> None:
    """Events of a token, as code that holds the key writes them."""
    with transaction.atomic():
        for action in actions:
            if action == Action.TOKEN_REQUESTED:
                audit.record(action, actor=SYSTEM, token=token, subject=subject)
            elif action == Action.TOKEN_ISSUED:
                audit.record(action, actor=SYSTEM, token=token, aws_request_id="5b1c")
            else:
                audit.record(action, actor=SYSTEM, token=token)


@pytest.mark.parametrize(
    ("actions", "why"),
    [
        ((Action.TOKEN_ISSUED,), "nobody asked for"),
        ((Action.TOKEN_REQUESTED, Action.TOKEN_ISSUED), "nobody approved"),
        ((Action.TOKEN_REQUESTED, Action.TOKEN_CANCELLED, Action.TOKEN_ISSUED), "nobody approved"),
    ],
)
def test_a_token_that_was_issued_though_nobody_asked_or_approved_breaks_the_log(
    make_token: Callable[..., Token], engineer: User, actions: tuple[Action, ...], why: str
) -> None:
    told_of(make_token(engineer), *actions, subject="waits for approval")
    verdict = verify_audit(actor=SYSTEM)
    assert not verdict.intact
    assert (verdict.seq, why in verdict.text) == (len(actions), True)


@pytest.mark.parametrize(
    ("actions", "subject"),
    [
        ((Action.TOKEN_REQUESTED, Action.TOKEN_ISSUED), ""),
        ((Action.TOKEN_REQUESTED, Action.TOKEN_CANCELLED, Action.TOKEN_ISSUED), ""),
        (
            (Action.TOKEN_REQUESTED, Action.TOKEN_APPROVED, Action.TOKEN_ISSUED),
            "waits for approval",
        ),
    ],
)
def test_a_token_that_was_asked_for_may_be_issued(
    make_token: Callable[..., Token], engineer: User, actions: tuple[Action, ...], subject: str
) -> None:
    told_of(make_token(engineer), *actions, subject=subject)
    assert verify_audit(actor=SYSTEM).intact
