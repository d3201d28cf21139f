"""An auditor has reviewed who may request what and who has what: that is an event."""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import transaction

from portal import audit, policy
from portal.audit import Actor
from portal.models import Action


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What somebody had before them: ``digest`` is the SHA-256 of the review's file as it was
    read at ``at``, ``lines`` how many lines it had."""

    digest: str
    lines: int
    at: datetime


def review_access(reviewed: Reviewed, *, actor: Actor, note: str) -> None:
    """Record that ``actor`` has reviewed it. Raises PermissionDenied."""
    if actor.user is None or not policy.may_audit(actor.user):
        raise PermissionDenied
    read = f"{reviewed.at:%Y-%m-%d %H:%M:%S} UTC"
    subject = f"review.csv of {read}, {reviewed.lines} lines, SHA-256 {reviewed.digest}"
    with transaction.atomic():
        audit.record(
            Action.ACCESS_REVIEWED,
            actor=actor,
            subject=subject,
            count=reviewed.lines,
            reason=note,
        )


def export_review(lines: int, *, actor: Actor) -> None:
    """Record that ``actor`` takes the review's file away. Raises PermissionDenied."""
    if actor.user is None or not policy.may_audit(actor.user):
        raise PermissionDenied
    with transaction.atomic():
        audit.record(Action.AUDIT_EXPORTED, actor=actor, subject="access/review.csv", count=lines)
