"""How events become text, and text becomes links of the chain. Knows no database.

What the hashes cover, and how they are checked, stands in portal/audit/verify.py.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from portal.audit.verify import FORMAT, event_hash, key_id, signature

TOLD = (
    *("action", "outcome", "actor", "actor_id", "team", "team_id", "token", "token_name"),
    *("owner", "owner_id", "workspace", "workspace_name"),
    *("service_account", "service_account_name", "grafana_role"),
    *("seconds_to_live", "attempt", "aws_token_id", "aws_request_id", "fingerprint"),
    *("error_code", "reason", "subject", "count", "address", "user_agent"),
)
"""What a text says after number, format, key and time, in this order. Each is a column of that
name, but for the token's id, which is called as the filters call it."""

BATCH_SIZE = 500


class Link(NamedTuple):
    """What makes an event a part of the chain."""

    text: str
    prev_hash: str
    hash: str


class Head(NamedTuple):
    """The last event's number and hash: in them, everything before it."""

    seq: int
    hash: str


def moment(at: datetime) -> str:
    """A time as texts have it: RFC 3339, in UTC, with microseconds."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def body(told: Mapping[str, object]) -> str:
    """An event's text after its time: all of it that can be written before the head is known."""
    return json.dumps({name: told[name] for name in TOLD}, separators=(",", ":"))[1:]


def link(key: bytes, head: Head, at: datetime, body: str) -> Link:
    """The next event's link, to the head that it follows.

    Its text is JSON, and plain ASCII, so that it is the same bytes wherever it is kept.
    """
    begin = f'"seq":{head.seq + 1},"format":{FORMAT},"key_id":"{key_id(key)}","at":"{moment(at)}"'
    text = f"{{{begin},{body}"
    return Link(text, head.hash, event_hash(key, head.hash.encode(), text.encode()))


# -- Export -------------------------------------------------------------------------------------


def export_line(link: Link) -> str:
    """An event as a line of an export: nothing is parsed or written anew."""
    return f'{{"prev_hash":"{link.prev_hash}","hash":"{link.hash}",{link.text[1:]}\n'


def export_lines(
    links: Iterable[Link], *, key: bytes, filters: Mapping[str, str], head: Head, at: datetime
) -> Iterator[bytes]:
    """An export in pieces of many lines: ``links`` in ascending order, then the signed trailer.

    Without ``filters`` these must be all events up to ``head``; with them, those that match. Keeps
    one piece in memory. ``at`` is when the head was read.
    """
    count = 0
    digest = sha256()
    piece: list[str] = []
    hashes: list[str] = []
    for link in links:
        piece.append(export_line(link))
        hashes.append(link.hash)
        if len(piece) >= BATCH_SIZE:
            count += len(piece)
            digest.update("".join(hashes).encode())
            yield "".join(piece).encode()
            piece.clear()
            hashes.clear()
    count += len(piece)
    digest.update("".join(hashes).encode())
    piece.append(
        trailer_line(
            key=key, filters=filters, count=count, digest=digest.hexdigest(), head=head, at=at
        )
    )
    yield "".join(piece).encode()


def trailer_line(
    *,
    key: bytes,
    filters: Mapping[str, str],
    count: int,
    digest: str,
    head: Head,
    at: datetime,
) -> str:
    """An export's last line: what was asked for, how much it was, and the head at that time.

    ``digest`` is the SHA-256 of the lines' hashes, one after another: it tells a filtered export
    with events left out or put in from a whole one.
    """
    said = {
        "format": FORMAT,
        "key_id": key_id(key),
        "at": moment(at),
        "filter": dict(filters),
        "count": count,
        "digest": digest,
        "head": {"seq": head.seq, "hash": head.hash},
    }
    text = json.dumps(said, separators=(",", ":"))
    return f'{{"trailer":{text},"signature":"{signature(key, text.encode())}"}}\n'
