"""Who may see and do what, and the limits that apply. The only place that decides."""

from portal.policy.approval import (
    Standing,
    approvable_tokens,
    approvers_of,
    desk_of,
    may_approve,
    may_reissue,
    standing,
)
from portal.policy.auditing import findable_tokens, led_by, may_audit, may_find_by_key
from portal.policy.desk import ENDABLE, is_cancellable, is_revocable, may_manage, readable_teams
from portal.policy.grants import Choice, Limits, choice_for, choices, limits_for, suspension
from portal.policy.handover import HANDABLE, heirs_of, may_hand_over
from portal.policy.lost import UNDELIVERED, why_without_access, without_access
from portal.policy.rights import (
    CANCELLABLE,
    REVOCABLE,
    NotPermittedError,
    WrongStateError,
    leads,
    may_change_access,
    may_receive,
    may_revoke,
    may_see,
    teams_of,
    visible_tokens,
)
from portal.policy.room import Room, Shortage, room, shortage

__all__ = [
    "CANCELLABLE",
    "ENDABLE",
    "HANDABLE",
    "REVOCABLE",
    "UNDELIVERED",
    "Choice",
    "Limits",
    "NotPermittedError",
    "Room",
    "Shortage",
    "Standing",
    "WrongStateError",
    "approvable_tokens",
    "approvers_of",
    "choice_for",
    "choices",
    "desk_of",
    "findable_tokens",
    "heirs_of",
    "is_cancellable",
    "is_revocable",
    "leads",
    "led_by",
    "limits_for",
    "may_approve",
    "may_audit",
    "may_change_access",
    "may_find_by_key",
    "may_hand_over",
    "may_manage",
    "may_receive",
    "may_reissue",
    "may_revoke",
    "may_see",
    "readable_teams",
    "room",
    "shortage",
    "standing",
    "suspension",
    "teams_of",
    "visible_tokens",
    "why_without_access",
    "without_access",
]
