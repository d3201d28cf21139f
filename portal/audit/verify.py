"""Verifies the audit log's chain. Needs Python 3.11, this one file and AUDIT_KEY: nothing else.

    AUDIT_KEY=... python verify.py audit.jsonl [--head HEADS]

It ends with 0 and "intact", with 1 and "broken", naming the first bad event, or with 2 and
"unreadable". ``manage.py verify_audit`` checks the database with the same ``Chain``.

How the log is made. An event is one JSON text, plain ASCII, that begins

    {"seq":7,"format":1,"key_id":"...","at":"2026-11-23T09:30:00.000000Z",...

with numbers from 1 on without a gap. Its hash is HMAC-SHA256(AUDIT_KEY, prev_hash + text) in
lower-case hex, where prev_hash is the hash of the event before it, and 64 zeros for the first. So
a change anywhere changes every hash after it, and nobody can compute those without the key. Who
holds the key can: it proves nothing against them.

How an export is made. Each line is an event's text with two members put before its first:

    {"prev_hash":"...","hash":"...","seq":7,...}

so what was hashed is in the line byte for byte, and nothing has to be parsed. The last line is

    {"trailer":{"format":1,"key_id":"...","at":"...","filter":{},"count":7,"digest":"...",
     "head":{"seq":7,"hash":"..."}},"signature":"..."}

on one line, where signature = HMAC-SHA256(AUDIT_KEY, "trailer:" + the trailer's text), digest =
SHA-256 of the lines' hashes in a row, and head = the log's last event when the export began.
What an editor or a transfer puts around lines changes no event, and does not count: a byte order
mark, CRLF, empty lines, a last line without an end. A file that is no such export is "unreadable".

Without a filter the export must hold every event from 1 to the head. With one it may have gaps; the
digest then tells that a line is missing or too many, but not which.

How a key is replaced. The first event under the new key is a settings.changed with the subject

    AUDIT_KEY <id of the new key> after <id of the old key>, signed <64 hex digits>

where the digits are HMAC-SHA256(old key, "succession:" + prev_hash + id of the new key): the old
key agrees to end with just that event before it, and the new key's hash covers all there was. So
keys stand in the order in which they served, none comes back, and the last event must be under the
current one, AUDIT_KEY; who holds an older one can neither change what it has hashed nor go on.
Portal versions that did not do so yet have replaced keys without such an event. From the first
event that names its key ("AUDIT_KEY <id>", or as above) on, none is missing.

What the chain can't tell by itself: that events were cut off its end, in the database. For that the
portal publishes its head, {"seq":...,"hash":"...","at":"..."}, to places that the database's owner
does not reach; give a file of such lines, or SEQ:HASH, as --head.
"""

import argparse
import contextlib
import hmac
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

FORMAT = 1
GENESIS = "0" * 64
INTACT, BROKEN, UNREADABLE = 0, 1, 2

_TEXT = re.compile(
    rb'\{"seq":([1-9][0-9]{0,18}),"format":1,"key_id":"([0-9a-f]{16})",'
    rb'"at":"[^"]{1,40}","action":"([a-z_.]{1,24})"'
)
_KEY_NAMED = re.compile(
    rb'"subject":"AUDIT_KEY ([0-9a-f]{16})(?: after ([0-9a-f]{16}), signed ([0-9a-f]{64}))?"'
)
_TOKEN = re.compile(rb'"token":"([0-9a-f-]{36})"')
_WAITS = b'"subject":"waits for approval"'
_TRAILER = re.compile(rb'\{"trailer":(\{.*\}),"signature":"([0-9a-f]{64})"\}')
_LONGEST_TRAILER = 1 << 17
MOST_WITHDRAWN = 10_000
"""Requests that were withdrawn lately, of which a token may still be issued."""
_AT = re.compile(rb'"at":"([^"]{1,40})"')
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_OTHERS: tuple[tuple[tuple[bytes, ...], str], ...] = (
    (_COMPRESSED, "it is compressed: unpack it first"),
    ((b"\xff\xfe", b"\xfe\xff"), "it was saved as UTF-16: take the file as it was downloaded"),
    ((b"seq", b'"seq"'), "it is the export as CSV, which proves nothing: export it as JSON Lines"),
    ((b"<",), "it is a page (HTML), perhaps the one that asks to sign in: download it anew"),
    ((b"[",), "it was written anew as one list: take the file as it was downloaded"),
)
"""What is given instead of an export, by how it begins."""
_HEAD = re.compile(r"([0-9]+):([0-9a-f]{64})")


class BrokenError(Exception):
    """The log is not what was written. ``seq`` is the first bad event, None if it can't be told."""

    def __init__(self, seq: int | None, why: str) -> None:
        super().__init__(f"event {seq} {why}" if seq is not None else why)
        self.seq = seq


class UnreadableError(Exception):
    """There is nothing here that could be verified, or no key to do it with."""


class Published(NamedTuple):
    """A head that was published: the hash of an event, and when (RFC 3339, UTC) it was the last."""

    hash: str
    at: str


# -- Hashes -------------------------------------------------------------------------------------


@lru_cache
def key_id(key: bytes) -> str:
    """Which key this is, without saying what it is."""
    return hmac.digest(key, b"key_id", "sha256").hex()[:16]


def event_hash(key: bytes, prev_hash: bytes, text: bytes) -> str:
    """An event's hash, in lower-case hex."""
    return hmac.digest(key, prev_hash + text, "sha256").hex()


def signature(key: bytes, trailer: bytes) -> str:
    """A trailer's signature, in lower-case hex. What is signed for an event begins otherwise."""
    return hmac.digest(key, b"trailer:" + trailer, "sha256").hex()


def succession(old_key: bytes, prev_hash: str, new_id: str) -> str:
    """The subject of the event by which an old key hands over to a new one, after ``prev_hash``."""
    signed = hmac.digest(old_key, f"succession:{prev_hash}{new_id}".encode(), "sha256").hex()
    return f"AUDIT_KEY {new_id} after {key_id(old_key)}, signed {signed}"


# -- The keys, one after another ----------------------------------------------------------------


@dataclass(slots=True)
class Stretch:
    """Events in a row under one key; ``since`` is the first one's time."""

    key_id: str
    first: int
    last: int
    since: str


class Succession:
    """Whether the keys of the events served one after another."""

    def __init__(self, keys: Mapping[bytes, bytes], *, gaps: bool) -> None:
        self._keys = keys
        self._gaps = gaps
        self._key = b""
        self._is_named = False
        self.stretches: list[Stretch] = []

    def follow(self, seq: int, key: bytes, action: bytes, prev_hash: bytes, text: bytes) -> None:
        """Check the next event's key. Raises BrokenError."""
        named = _KEY_NAMED.search(text) if action == b"settings.changed" else None
        if key == self._key:
            self.stretches[-1].last = seq
        else:
            self._begin(seq, key, named, prev_hash)
            at = _AT.search(text)
            self.stretches.append(Stretch(key.decode(), seq, seq, at[1].decode() if at else ""))
            self._key = key
        if named and named[1] == key:
            self._is_named = True

    def _begin(
        self, seq: int, key: bytes, named: "re.Match[bytes] | None", prev_hash: bytes
    ) -> None:
        for before, after in pairwise(self.stretches):
            if before.key_id == key.decode():
                why = f"is under the key {before.key_id}, which was replaced at event {after.first}"
                raise BrokenError(seq, why)
        if self._gaps or not self.stretches:
            return
        old = self._keys[self._key]
        said = f'"subject":"{succession(old, prev_hash.decode(), key.decode())}"'.encode()
        if (named or self._is_named) and not (named and named[0] == said):
            why = f"is under the key {key.decode()}, which the one before it has not signed"
            raise BrokenError(seq, why)

    def end(self, current: bytes) -> None:
        """Say that no more events follow. Raises BrokenError unless the last is under this key."""
        if not self.stretches or self.stretches[-1].key_id == key_id(current):
            return
        last = self.stretches[-1]
        raise BrokenError(
            last.last,
            f"is the last, and under the key {last.key_id}, not under AUDIT_KEY "
            f"({key_id(current)}): start the portal if that is new; if not, the end was cut off",
        )

    def end_of_export(self, signed_by: bytes) -> None:
        """Raises BrokenError where the trailer's key had been replaced before the last event."""
        if key_id(signed_by) in {one.key_id for one in self.stretches[:-1]}:
            raise BrokenError(
                None, f"its trailer is under the key {key_id(signed_by)}, which had been replaced"
            )

    def told(self, current: bytes) -> list[str]:
        """Under which key each stretch stands, a line each; and which keys stand nowhere."""
        lines = [
            f"key {one.key_id} ({_role(one.key_id, current)}): events {one.first} to {one.last}, "
            f"since {one.since}"
            for one in self.stretches
        ]
        used = {one.key_id for one in self.stretches}
        unused = [given.decode() for given in self._keys if given.decode() not in used]
        return lines + [f"key {one} ({_role(one, current)}): no event" for one in unused]


def _role(key: str, current: bytes) -> str:
    return "AUDIT_KEY" if key == key_id(current) else "retired"


# -- The chain ----------------------------------------------------------------------------------


class Chain:
    """Follows events in their order, and holds the last of them."""

    def __init__(
        self, keys: Iterable[bytes], published: Mapping[int, Published], *, gaps: bool = False
    ) -> None:
        self._keys = {key_id(key).encode(): key for key in keys}
        self._published = published
        self._gaps = gaps
        self._requests = Requests()
        self.succession = Succession(self._keys, gaps=gaps)
        self.count = 0
        self.seq = 0
        self.hash = GENESIS.encode()

    def follow(self, prev_hash: bytes, own_hash: bytes, text: bytes) -> None:
        """Check the next event. Raises BrokenError, and UnreadableError where no key fits."""
        begins = _TEXT.match(text)
        if begins is None:
            raise BrokenError(self.seq + 1, "is not written as an event is")
        seq = int(begins[1])
        if seq <= self.seq:
            raise BrokenError(seq, f"stands after event {self.seq}")
        is_next = seq == self.seq + 1
        if not is_next and not self._gaps:
            raise BrokenError(self.seq + 1, f"is missing: event {seq} stands in its place")
        key = self._keys.get(begins[2])
        if key is None:
            raise UnreadableError(f"written with the key {begins[2].decode()}, not given here")
        if event_hash(key, prev_hash, text).encode() != own_hash:
            raise BrokenError(seq, "was altered: its hash is another")
        if is_next and prev_hash != self.hash:
            raise BrokenError(seq, "does not follow from the event before it")
        if seq in self._published and self._published[seq].hash.encode() != own_hash:
            raise BrokenError(seq, "is not the one that was published as the head")
        self.succession.follow(seq, begins[2], begins[3], prev_hash, text)
        if not self._gaps and begins[3].startswith(b"token."):
            self._requests.follow(seq, begins[3], text)
        self.count += 1
        self.seq = seq
        self.hash = own_hash

    def end(self, at: str | None = None) -> None:
        """Say that no more events follow; ``at`` is when that was so, None for now.

        Raises BrokenError where a later head has been published by then.
        """
        later = [
            seq
            for seq, head in self._published.items()
            if seq > self.seq and (at is None or head.at <= at)
        ]
        if later:
            raise BrokenError(self.seq + 1, f"is missing: event {max(later)} was published as head")


class Requests:
    """Whether each token that was issued had been asked for, and approved where that was due."""

    def __init__(self) -> None:
        self._open: dict[bytes, bool] = {}
        """Requests under way, and whether each still waits for approval."""
        self._withdrawn: dict[bytes, bool] = {}

    def follow(self, seq: int, action: bytes, text: bytes) -> None:
        """Check the next event of a token. Raises BrokenError."""
        found = _TOKEN.search(text)
        if found is None:
            return
        token = found[1]
        if action == b"token.requested":
            self._open[token] = _WAITS in text
        elif action == b"token.approved":
            self._open[token] = False
        elif action == b"token.cancelled" and token in self._open:
            # AWS may have been asked already: what it makes is on record too, and ended.
            self._withdrawn[token] = self._open.pop(token)
            if len(self._withdrawn) > MOST_WITHDRAWN:
                del self._withdrawn[next(iter(self._withdrawn))]
        elif action in (b"token.denied", b"token.failed"):
            self._open.pop(token, None)
        elif action == b"token.issued":
            waits = self._open.pop(token, self._withdrawn.pop(token, None))
            if waits is None:
                raise BrokenError(seq, f"issues token {token.decode()}, which nobody asked for")
            if waits:
                raise BrokenError(seq, f"issues token {token.decode()}, which nobody approved")


# -- Exports ------------------------------------------------------------------------------------


def verify_export(file: BinaryIO, keys: Sequence[bytes], published: Mapping[int, Published]) -> str:
    """Check an export; returns what it is, in lines. Reads it line by line, twice at its end.

    ``keys`` begin with the current one. An export from before it, kept by an auditor, stays good.

    Raises BrokenError, UnreadableError or OSError.
    """
    trailer, signed_by = _read_trailer(file, keys)
    # Whether gaps are right, only a genuine trailer can tell.
    chain = Chain(keys, published, gaps=trailer is None or bool(trailer["filter"]))
    digest = sha256()
    lines = _lines(file)
    for line in lines:
        if line.startswith(b'{"trailer":'):
            break
        try:
            prev_hash, own_hash, text = _parts(line)
            chain.follow(prev_hash, own_hash, text)
        except UnreadableError as error:
            # Is this no export of ours at all, or a line of it that was tampered with?
            if trailer is None and chain.count == 0:
                raise
            raise BrokenError(chain.seq + 1, f"is {error}") from None
        digest.update(own_hash)
    if trailer is None:
        raise BrokenError(chain.seq + 1, "is where it ends without a genuine trailer: cut off?")
    if any(lines):
        raise BrokenError(chain.seq + 1, "is followed by lines after the trailer")
    chain.succession.end_of_export(signed_by)
    head = trailer["head"]
    if not trailer["filter"]:
        if (chain.seq, chain.hash.decode()) != (head["seq"], head["hash"]):
            raise BrokenError(chain.seq + 1, f"is missing: the trailer's head is {head['seq']}")
        chain.end(trailer["at"])
    if (chain.count, digest.hexdigest()) != (trailer["count"], trailer["digest"]):
        raise BrokenError(
            None,
            f"some of its {trailer['count']} events are missing or others: {chain.count} stand",
        )
    what = f"filtered by {json.dumps(trailer['filter'])}" if trailer["filter"] else "the whole log"
    said = f"{chain.count} events, {what} up to {head['seq']}:{head['hash']} at {trailer['at']}"
    warning = "" if signed_by == keys[0] else ": whoever has that can have written all of this"
    trailer_said = (
        f"trailer: under the key {key_id(signed_by)} ({_role(key_id(signed_by), keys[0])})"
    )
    return "\n".join([said, *chain.succession.told(keys[0]), trailer_said + warning])


def _parts(line: bytes) -> tuple[bytes, bytes, bytes]:
    """A line's two hashes and its text. The places are fixed: nothing has to be searched for."""
    if (line[:14], line[78:88], line[152:154], line[-1:]) != (
        *(b'{"prev_hash":"', b'","hash":"', b'",', b"}"),
    ):
        raise UnreadableError("not a line of the audit log's export as JSON Lines")
    return line[14:78], line[88:152], b"{" + line[154:]


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines without their ends, and without what changes no event."""
    file.seek(0)
    for number, line in enumerate(file):
        line = line.rstrip(b"\r\n")
        if number == 0:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if line:
            yield line


def _require_export(file: BinaryIO) -> None:
    """Raise UnreadableError, saying what the file is, for one that does not begin as an export.

    Only its beginning is read: it may be anything, and have no lines.
    """
    file.seek(0)
    begins = file.read(1024).removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not begins:
        raise UnreadableError("it is empty")
    for starts, why in _OTHERS:
        if begins.startswith(starts):
            raise UnreadableError(why)
    if not begins.startswith((b'{"prev_hash":"', b'{"trailer":')):
        raise UnreadableError("not an export of the audit log as JSON Lines")


def _read_trailer(file: BinaryIO, keys: Sequence[bytes]) -> tuple[dict[str, Any] | None, bytes]:
    """The last line, if it is a trailer that one of the keys has signed, and that key.

    Raises UnreadableError for a file that is no export at all.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LONGEST_TRAILER))
    end = file.read()
    last = end.rstrip().rpartition(b"\n")[2].removeprefix(_BYTE_ORDER_MARK)
    found = _TRAILER.fullmatch(last)
    for key in keys if found else ():
        if found and hmac.compare_digest(signature(key, found[1]).encode(), found[2]):
            return json.loads(found[1]), key
    _require_export(file)
    return None, b""


# -- What is given ------------------------------------------------------------------------------


def keys_from(environment: Mapping[str, str]) -> list[bytes]:
    """AUDIT_KEY, and those that were in use before it (AUDIT_KEYS_RETIRED, separated by commas).

    Their order does not matter: the log tells in which they served.

    Each may be given as NAME_FILE, a path to a file that holds it. Raises UnreadableError.
    """
    texts = []
    for name in ("AUDIT_KEY", "AUDIT_KEYS_RETIRED"):
        path = environment.get(f"{name}_FILE")
        try:
            texts.append(Path(path).read_text("utf-8-sig") if path else environment.get(name, ""))
        except (OSError, UnicodeDecodeError) as error:
            raise UnreadableError(f"{name}_FILE can't be read: {error}") from None
    if not texts[0].strip():
        raise UnreadableError("AUDIT_KEY is not set: put the key into the environment")
    retired = [one.strip() for one in texts[1].split(",") if one.strip()]
    return [one.encode() for one in (texts[0].strip(), *retired)]


def published_heads(source: str) -> dict[int, Published]:
    """Published heads from ``SEQ:HASH`` or from a file of them. Raises UnreadableError."""
    spelled = _HEAD.fullmatch(source)
    if spelled:
        return {int(spelled[1]): Published(spelled[2], "")}
    heads = {}
    try:
        with Path(source).open(encoding="utf-8-sig") as file:
            for line in filter(str.strip, file):
                head = json.loads(line)
                heads[int(head["seq"])] = Published(str(head["hash"]), str(head["at"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableError(f"the published heads in {source} can't be read: {error}") from None
    heads.pop(0, None)
    return heads


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Verifies an export of the audit log.")
    parser.add_argument("export", type=Path, help="an export as JSON Lines")
    parser.add_argument("--head", help="a file of published heads, or one as SEQ:HASH")
    options = parser.parse_args(arguments)
    try:
        published = published_heads(options.head) if options.head else {}
        with options.export.open("rb") as file:
            print(f"intact: {verify_export(file, keys_from(os.environ), published)}")
    except BrokenError as broken:
        print(f"broken: {broken}")
        return BROKEN
    except (UnreadableError, OSError) as error:
        print(f"unreadable: {error}", file=sys.stderr)
        return UNREADABLE
    return INTACT


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main(sys.argv[1:]))
