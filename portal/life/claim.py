"""A worker claims a queued row: one conditional update, compiled once."""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now

from portal.life import moves
from portal.models import Token
from portal.models.prepared import PreparedUpdate
from portal.models.states import LEASE


def claim(token_id: uuid.UUID, attempt: int) -> bool:
    """Take the row for attempt number ``attempt``; False when another worker has it.

    The claim is written before AWS is called, and assumes the worst: that the call will be made and
    its outcome never known. Only a known outcome takes that back (docs/RELIABILITY.md, "The
    recovery rule").
    """
    return _claim(token_id, attempt - 1, attempt) == 1


def _claimable(token_id: uuid.UUID, before: int, _: int) -> QuerySet[Token]:
    return Token.objects.due().filter(pk=token_id, state__in=moves.CLAIM.starts, attempt=before)


def _claimed(_: uuid.UUID, __: int, attempt: int) -> dict[str, Any]:
    now = Now()
    return {
        "state": moves.CLAIM.leads_to,
        "state_at": now,
        "attempt": attempt,
        "lease_until": now + LEASE,
        "not_before": None,
        "may_exist_at_aws": True,
        "unresolved_since": Coalesce(F("unresolved_since"), now),
        "last_signature_at": now + timedelta(seconds=settings.TASK_TIME_LIMIT),
    }


_claim = PreparedUpdate(
    _claimable, to=_claimed, like=[uuid.UUID(int=0), 2_000_000_001, 2_000_000_002]
)
