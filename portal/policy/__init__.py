"""Who may see and do what, and the limits that apply. The only place that decides."""

from portal.policy.approval import (
    CurrentTerms,
    approvable_tokens,
    approvers_of,
    current_terms,
    may_approve,
    may_reissue,
)
from portal.policy.auditing import findable_tokens, may_audit, may_find_by_key
from portal.policy.desk import (
    ENDABLE,
    Reach,
    is_cancellable,
    is_revocable,
    may_manage,
    reach,
    readable_teams,
)
from portal.policy.grants import (
    Entitlement,
    Limits,
    entitlement_for,
    entitlements,
    entitlements_for,
    has_grant_in,
    limits_for,
    suspension,
)
from portal.policy.handover import (
    CAN_BE_HANDED_OVER,
    MOST_POSSIBLE_OWNERS,
    first_possible_owners,
    may_hand_over,
    possible_owners,
    possible_owners_like,
)
from portal.policy.leads import leading, leads, led_by, responsible_for
from portal.policy.lost import (
    UNDELIVERED,
    not_kept_on_leaving,
    why_not_kept,
    why_without_access,
    without_access,
)
from portal.policy.offer import Offer, offer, offer_like, workspace_for
from portal.policy.outliving import outlives_its_end, outliving
from portal.policy.overlaps import longest_overlap, overlap_of
from portal.policy.rights import (
    CANCELLABLE,
    REVOCABLE,
    may_change_access,
    may_receive,
    may_revoke,
    may_see,
    require,
    teams_of,
)
from portal.policy.second_factor import needs_second_factor
from portal.policy.usage import LimitReached, Usage, limit_reached, usage

__all__ = [
    "CANCELLABLE",
    "CAN_BE_HANDED_OVER",
    "ENDABLE",
    "MOST_POSSIBLE_OWNERS",
    "REVOCABLE",
    "UNDELIVERED",
    "CurrentTerms",
    "Entitlement",
    "LimitReached",
    "Limits",
    "Offer",
    "Reach",
    "Usage",
    "approvable_tokens",
    "approvers_of",
    "current_terms",
    "entitlement_for",
    "entitlements",
    "entitlements_for",
    "findable_tokens",
    "first_possible_owners",
    "has_grant_in",
    "is_cancellable",
    "is_revocable",
    "leading",
    "leads",
    "led_by",
    "limit_reached",
    "limits_for",
    "longest_overlap",
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
    "needs_second_factor",
    "not_kept_on_leaving",
    "offer",
    "offer_like",
    "outlives_its_end",
    "outliving",
    "overlap_of",
    "possible_owners",
    "possible_owners_like",
    "reach",
    "readable_teams",
    "require",
    "responsible_for",
    "suspension",
    "teams_of",
    "usage",
    "why_not_kept",
    "why_without_access",
    "without_access",
    "workspace_for",
]
