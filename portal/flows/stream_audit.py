"""Sends the audit log elsewhere as it grows: in order, at least once, and nobody waits for it.

What has been sent is a number beside the log. Of several schedulers one sends at a time: whoever
holds the lease, which runs out by itself where its holder is gone. So a batch may come twice, and
never out of its order. Whoever receives them knows an event by its ``seq``.
"""

import json
import logging
import time

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from portal.audit.chain import Link, export_line
from portal.incidents import Incident
from portal.models import AuditEvent, Tally, Token
from portal.streams import LOG, NotTakenError, Stream

log = logging.getLogger(__name__)
_stream = logging.getLogger("portal.audit.stream")
_stream.setLevel(logging.INFO)  # whatever else is logged
_incident = Incident("audit_stream")

BATCH = 500
"""Events of one message; a megabyte at most."""
LEASE = 60.0
"""Seconds: longer than one message may take."""
LONGEST_RUN = 20.0
"""Seconds, after which the next run goes on."""

SENT = ("audit_streamed_to", "")
_LEASE = ("audit_stream_lease", "")


def stream_audit() -> int:
    """Send what has come since; how many events went out. Raises DatabaseError."""
    stream: Stream | None = settings.AUDIT_STREAM
    if stream is None:
        return 0
    lease = _take_lease()
    if lease is None:
        return 0
    sent, until = 0, time.monotonic() + LONGEST_RUN
    try:
        while time.monotonic() < until:
            number = _send_batch(stream)
            sent += number
            if number < BATCH:
                break
            if not (renewed := _renew(lease)):
                break
            lease = renewed
    except NotTakenError as error:
        _incident.note(error)
    else:
        _incident.over()
    finally:
        _lease_row().filter(value=lease).update(value=0)
    return sent


def lag_seconds() -> float:
    """How long the first event that has not been sent has waited; 0 where all have been."""
    waiting = AuditEvent.objects.filter(seq__gt=_sent()).order_by("seq")
    at = waiting.values_list("at", flat=True).first()
    return 0.0 if at is None else max(0.0, (Token.objects.database_now() - at).total_seconds())


def _send_batch(stream: Stream) -> int:
    rows = AuditEvent.objects.filter(seq__gt=_sent()).order_by("seq")
    links = [
        (seq, Link(*link))
        for seq, *link in rows.values_list("seq", "text", "prev_hash", "hash")[:BATCH]
    ]
    if not links:
        return 0
    if stream.address == LOG:
        for _, link in links:
            said = json.loads(link.text) | {"prev_hash": link.prev_hash, "hash": link.hash}
            _stream.info("audit.event", extra=said)
    else:
        stream.post("".join(export_line(link) for _, link in links).encode())
    metric, labels = SENT
    Tally.objects.filter(metric=metric, labels=labels).update(value=links[-1][0])
    return len(links)


def _sent() -> int:
    return int(Tally.objects.number(*SENT))


def _lease_row() -> "QuerySet[Tally]":
    metric, labels = _LEASE
    return Tally.objects.filter(metric=metric, labels=labels)


def _take_lease() -> float | None:
    """Until when it is ours, by the database's clock; None while it is somebody else's."""
    if not _lease_row().exists():
        with transaction.atomic():
            Tally.objects.add({SENT: 0, _LEASE: 0})
    now = Token.objects.database_now().timestamp()
    return now + LEASE if _lease_row().filter(value__lt=now).update(value=now + LEASE) else None


def _renew(lease: float) -> float | None:
    until = Token.objects.database_now().timestamp() + LEASE
    return until if _lease_row().filter(value=lease).update(value=until) else None
