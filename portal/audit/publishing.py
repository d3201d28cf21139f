"""The head goes where the database's owner does not reach, so that a cut-off end shows.

To the log (``audit.head``), to a file of such lines, and by mail, as the settings say. A head that
was published once must stay in the chain; where it does not, that is said at once, and the file
keeps what it knew.
"""

import errno
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction

from portal.audit.chain import moment
from portal.audit.head import HeadMissingError, read_head
from portal.audit.verify import Published, UnreadableError, published_heads
from portal.models import AuditEvent, Tally

log = logging.getLogger(__name__)

_MAILED = ("audit_head_mailed", "")


def published() -> dict[int, Published]:
    """The heads in the settings' file, if there is one. Raises UnreadableError."""
    file = settings.AUDIT_HEAD_FILE
    return published_heads(file) if file and Path(file).exists() else {}


def publish_head() -> bool:
    """Publish the head as it is now; whether it agrees with what was published before.

    What keeps it from one place is logged, and does not keep it from the others. Raises
    DatabaseError.
    """
    try:
        head, at = read_head()
        before = published()
    except (HeadMissingError, UnreadableError) as error:
        _alarm(str(error))
        return False
    seq = contradicted(before)
    if seq is not None:
        _alarm(f"event {seq} is not the one that was published as the head")
        return False
    if head.seq == 0 or head.seq in before:
        return True
    line = {"seq": head.seq, "hash": head.hash, "at": moment(at)}
    log.info("audit.head", extra=line)
    if settings.AUDIT_HEAD_FILE:
        _append(f"{json.dumps(line)}\n")
    if settings.AUDIT_HEAD_MAIL and _is_news(head.seq):
        _mail(f"Audit log: event {head.seq}", json.dumps(line))
    return True


def _is_news(seq: int) -> bool:
    """Whether this head was not mailed yet, by any process; it counts as mailed from now on."""
    metric, labels = _MAILED
    row = Tally.objects.filter(metric=metric, labels=labels)
    if not row.exists():
        with transaction.atomic():
            Tally.objects.add({_MAILED: 0})
    return bool(row.exclude(value=seq).update(value=seq))


def contradicted(heads: Mapping[int, Published]) -> int | None:
    """The last published head, if the log has another event there or none."""
    if not heads:
        return None
    seq = max(heads)
    stands = AuditEvent.objects.filter(seq=seq, hash=heads[seq].hash).exists()
    return None if stands else seq


def _append(line: str) -> None:
    written = line.encode()
    try:
        with Path(settings.AUDIT_HEAD_FILE).open("ab", buffering=0) as file:
            end = file.tell()
            if file.write(written) != len(written):
                # Half a line, on a disk without room: the next one would be appended to it.
                file.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        log.error("audit.head_not_written", extra={"error": str(error)})


def _alarm(text: str) -> None:
    log.error("audit.head_contradicted", extra={"problem": text})
    _mail("Audit log: verify it now", f"{text}\n\nRun manage.py verify_audit.")


def _mail(subject: str, text: str) -> None:
    if not settings.AUDIT_HEAD_MAIL:
        return
    try:
        send_mail(subject, f"{text}\n", None, settings.AUDIT_HEAD_MAIL)
    except OSError as error:  # smtplib's errors are of this kind too
        log.error("audit.head_not_mailed", extra={"error": type(error).__name__})
