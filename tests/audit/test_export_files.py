"""Files that are given to be verified: what was done to them on the way, and what is no export."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from portal.models import AuditEvent
from portal.views import spreadsheet
from portal.views.audit.export import CSV_COLUMNS
from tests.audit.conftest import Said

pytestmark = pytest.mark.django_db
Elsewhere = Callable[..., Said]
Export = Callable[..., Path]

ON_THE_WAY: dict[str, Callable[[bytes], bytes]] = {
    "the last newline missing": lambda whole: whole.rstrip(b"\n"),
    "an empty line after it": lambda whole: whole + b"\n",
    "empty lines between events": lambda whole: whole.replace(b"\n", b"\n\n"),
    "empty lines before it": lambda whole: b"\r\n\n" + whole,
    "a byte order mark": lambda whole: b"\xef\xbb\xbf" + whole,
    "CRLF": lambda whole: whole.replace(b"\n", b"\r\n"),
    "CRLF and no last one": lambda whole: whole.replace(b"\n", b"\r\n").rstrip(),
    "all of it": lambda whole: b"\xef\xbb\xbf" + whole.replace(b"\n", b"\r\n") + b"\r\n\r\n",
}


@pytest.mark.parametrize("change", ON_THE_WAY.values(), ids=ON_THE_WAY)
@pytest.mark.parametrize("only", [{}, {"subject": "+ team n4"}, {"subject": "nothing has this"}])
def test_what_editors_and_transfers_do_to_a_file_breaks_nothing(
    log: list[AuditEvent],
    export: Export,
    elsewhere: Elsewhere,
    change: Callable[[bytes], bytes],
    only: dict[str, str],
) -> None:
    path = export(**only)
    path.write_bytes(change(path.read_bytes()))
    said = elsewhere(path)
    assert (said.status, said.text[:8]) == (0, "intact: "), said.text


def test_such_a_change_hides_no_tampering(
    log: list[AuditEvent], export: Export, elsewhere: Elsewhere
) -> None:
    path = export()
    whole = path.read_bytes()
    for change in ON_THE_WAY.values():
        path.write_bytes(change(whole.replace(b"team n5", b"team x5")))
        said = elsewhere(path)
        assert (said.status, said.text[:15]) == (1, "broken: event 5"), said.text


def _zipped(whole: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("audit.jsonl", whole)
    return packed.getvalue()


INSTEAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "gzip": (gzip.compress, "compressed"),
    "bzip2": (bz2.compress, "compressed"),
    "xz": (lzma.compress, "compressed"),
    "zip": (_zipped, "compressed"),
    "an empty file": (lambda _: b"", "empty"),
    "blank lines": (lambda _: b"\r\n \n", "empty"),
    "a byte order mark alone": (lambda _: b"\xef\xbb\xbf", "empty"),
    "UTF-16": (lambda whole: whole.decode().encode("utf-16"), "UTF-16"),
    "a sign-in page": (lambda _: b"<!DOCTYPE html><html>", "HTML"),
    "a list": (lambda whole: b"[" + b",".join(whole.splitlines()) + b"]", "one list"),
    "JSON of something else": (lambda _: b'{"a": 1}\n', "not an export"),
    "bytes without lines": (lambda _: bytes(200_000), "not an export"),
}


@pytest.mark.parametrize(("instead", "why"), INSTEAD.values(), ids=INSTEAD)
def test_what_is_no_export_is_unreadable_and_not_broken(
    log: list[AuditEvent],
    export: Export,
    elsewhere: Elsewhere,
    instead: Callable[[bytes], bytes],
    why: str,
) -> None:
    path = export()
    path.write_bytes(instead(path.read_bytes()))
    said = elsewhere(path)
    assert (said.status, said.text[:12]) == (2, "unreadable: "), said.text
    assert why in said.text
    assert len(said.text.splitlines()) == 1


def test_the_export_as_csv_is_told_from_the_one_that_proves(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    path = tmp_path / "audit.csv"
    path.write_bytes(b"".join(spreadsheet.lines(CSV_COLUMNS, [range(len(CSV_COLUMNS))])))
    said = elsewhere(path)
    assert said.status == 2
    assert "as CSV" in said.text


def test_heads_and_keys_may_have_been_through_an_editor_too(
    log: list[AuditEvent], export: Export, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    heads, key = tmp_path / "heads.jsonl", tmp_path / "key"
    head = {"seq": 7, "hash": log[6].hash, "at": "2001-01-01T00:00:00.000000Z"}
    heads.write_bytes(b"\xef\xbb\xbf" + json.dumps(head).encode() + b"\r\n\r\n")
    key.write_bytes(b"\xef\xbb\xbf" + settings.AUDIT_KEY.encode() + b"\r\n")
    said = elsewhere(export(), "--head", str(heads), AUDIT_KEY="", AUDIT_KEY_FILE=str(key))
    assert said.status == 0, said.text
