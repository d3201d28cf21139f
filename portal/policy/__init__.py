"""Who may see and do what, and the limits that apply. The only place that decides."""

from portal.policy.approval import (
    CurrentTerms,
    approvable_tokens,
    approvers_of,
    current_terms,
    desk_of,
    may_approve,
    may_reissue,
)
from portal.policy.auditing import findable_tokens, led_by, may_audit, may_find_by_key
from portal.policy.desk import (
    ENDABLE,
    Reach,
    is_cancellable,
    is_revocable,
    may_manage,
    reach,
    readable_teams,
)
from portal.policy.grants import Choice, Limits, choice_for, choices, limits_for, suspension
from portal.policy.handover import HANDABLE, heirs_of, may_hand_over
from portal.policy.lost import UNDELIVERED, why_without_access, without_access
from portal.policy.rights import (
    CANCELLABLE,
    REVOCABLE,
    leads,
    may_change_access,
    may_receive,
    may_revoke,
    may_see,
    require,
    teams_of,
)
from portal.policy.room import Room, Shortage, room, shortage

__all__ = [
    "CANCELLABLE",
    "ENDABLE",
    "HANDABLE",
    "REVOCABLE",
    "UNDELIVERED",
    "Choice",
    "CurrentTerms",
    "Limits",
    "Reach",
    "Room",
    "Shortage",
    "approvable_tokens",
    "approvers_of",
    "choice_for",
    "choices",
    "current_terms",
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
    "reach",
    "readable_teams",
    "require",
    "room",
    "shortage",
    "suspension",
    "teams_of",
    "why_without_access",
    "without_access",
]
