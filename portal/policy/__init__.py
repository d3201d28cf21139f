"""Who may see and do what, and the limits that apply. The only place that decides."""

from portal.policy.grants import Choice, Limits, choice_for, choices, limits_for
from portal.policy.lost import UNDELIVERED, why_without_access, without_access
from portal.policy.rights import (
    CANCELLABLE,
    REVOCABLE,
    NotPermittedError,
    leads,
    may_receive,
    may_revoke,
    may_see,
    teams_of,
    visible_tokens,
)
from portal.policy.room import Room, Shortage, room, shortage

__all__ = [
    "CANCELLABLE",
    "REVOCABLE",
    "UNDELIVERED",
    "Choice",
    "Limits",
    "NotPermittedError",
    "Room",
    "Shortage",
    "choice_for",
    "choices",
    "leads",
    "limits_for",
    "may_receive",
    "may_revoke",
    "may_see",
    "room",
    "shortage",
    "teams_of",
    "visible_tokens",
    "why_without_access",
    "without_access",
]
