"""The states of a token's life, and what they have in common."""

from datetime import timedelta

from django.db import models


class State(models.TextChoices):
    """Where a token is in its life."""

    AWAITING_APPROVAL = "awaiting_approval", "waits for approval"
    AWAITING_RECIPIENT = "awaiting_recipient", "waits for its recipient"
    QUEUED = "queued", "queued"
    ISSUING = "issuing", "being issued"
    SEALED = "sealed", "ready to take"
    ACTIVE = "active", "active"
    REVOKING = "revoking", "being revoked"
    REVOKED = "revoked", "revoked"
    EXPIRED = "expired", "expired"
    FAILED = "failed", "failed"
    DENIED = "denied", "denied"
    CANCELLED = "cancelled", "cancelled"


OPEN = (
    State.AWAITING_APPROVAL,
    State.AWAITING_RECIPIENT,
    State.QUEUED,
    State.ISSUING,
    State.SEALED,
    State.ACTIVE,
    State.REVOKING,
)
"""States that somebody or something will still move."""

ENDED = tuple(state for state in State if state not in OPEN)
"""States that nothing leaves, unless AWS says that what has ended here lives."""

LIVE = (State.SEALED, State.ACTIVE, State.REVOKING)
"""States in which a token exists at AWS as far as we know."""

NOT_ACTIVE = tuple(state for state in State if state != State.ACTIVE)
NOT_LIVE = tuple(state for state in State if state not in LIVE)
"""States in which none does, or none that we know of: expired ones are listed until deleted."""

WAITING = tuple(state for state in OPEN if state not in LIVE)
"""States of a request of which nothing exists at AWS yet, as far as we know."""

WAITING_FOR_KEY = (State.QUEUED, State.ISSUING, State.SEALED)
"""States in which the requesting browser waits for its key."""

HOLDING_PLACE = tuple(state for state in OPEN if state != State.REVOKING)
"""States that count against a grant's limits: a token, or the promise of one."""

AWAITING_PEOPLE = (State.AWAITING_APPROVAL, State.AWAITING_RECIPIENT)
"""States that only a person moves on; nothing of them exists at AWS."""

LEASE = timedelta(seconds=45)
"""How long a worker holds a claim: longer than a task may run (30 s)."""
