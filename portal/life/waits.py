"""What a request waits for, and for how long: a workspace that AWS is changing, and the portal's
own credentials or clock. Neither is the fault of whoever asked; nothing was made meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.grafana.errors import ConflictException, class_of_recorded
from portal.models import Token
from portal.models.error_codes import ErrorCode


@dataclass(frozen=True, slots=True)
class Wait:
    """``longest`` counts from the first time a request had to wait for this. ``most_between`` is
    how many seconds lie between two tries at most."""

    longest: timedelta
    most_between: float


FOR_WORKSPACE = Wait(timedelta(minutes=30), 15.0)
FOR_CREDENTIALS = Wait(timedelta(minutes=10), 30.0)


def waits_for(code: str) -> Wait | None:
    """What a request waits for whose last trouble has this code; None when for neither."""
    kind = class_of_recorded(code)
    if code == ErrorCode.WORKSPACE_CHANGING or issubclass(kind, ConflictException):
        return FOR_WORKSPACE
    return FOR_CREDENTIALS if kind.refuses_caller else None


def waits_until(token: Token) -> datetime | None:
    """When the portal gives up on what the request waits for; None when it waits for neither."""
    wait = waits_for(token.error_code)
    return token.waits_since + wait.longest if wait and token.waits_since else None
