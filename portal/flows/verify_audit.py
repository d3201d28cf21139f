"""Somebody verifies the audit log, and that is an event of it."""

import logging
from dataclasses import dataclass, field

from django.db import DatabaseError, transaction

from portal import audit
from portal.audit import Actor, keys
from portal.audit.database import verify_database
from portal.audit.publishing import published
from portal.audit.verify import BrokenError
from portal.models import Action, Outcome

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found. ``seq`` is the first bad event, or the last of an intact log;
    ``keys`` says under which key each stretch of an intact log stands."""

    intact: bool
    seq: int | None
    text: str
    keys: list[str] = field(default_factory=list)


def verify_audit(*, actor: Actor) -> Verdict:
    """Verify the whole log in the database, and record what came out.

    Takes a minute or more for each million of events, and locks nothing meanwhile. What is found is
    told even when it can't be recorded: a log that has lost its head takes no events. Raises
    portal.audit.verify.UnreadableError when no key fits or published heads can't be read.
    """
    try:
        head, told = verify_database(keys.every(), published())
    except BrokenError as broken:
        verdict = Verdict(False, broken.seq, str(broken))
    else:
        verdict = Verdict(
            True, head.seq, f"{head.seq} events, the last is {head.seq}:{head.hash}", told
        )
    try:
        with transaction.atomic():
            audit.record(
                Action.AUDIT_VERIFIED,
                actor=actor,
                outcome=Outcome.SUCCEEDED if verdict.intact else Outcome.FAILED,
                subject=verdict.text,
            )
    except DatabaseError as error:
        log.error("audit.verification_not_recorded", extra={"error": type(error).__name__})
    return verdict
