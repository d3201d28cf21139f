"""What becomes of a request that policy has accepted, and would not accept any more as it is.

Policy is asked again when a token is collected and when a worker claims it: portal.flows.collect
and portal.flows.issue share the rule.
"""

from typing import Any

from portal.life.move import Move
from portal.models.error_codes import ErrorCode
from portal.policy import CurrentTerms

GRANT_IS_GONE = "The grant for this service account ended before the token was made."
APPROVAL_NEEDED_NOW = "Policy has come to ask for approval."


def turned_back(
    terms: CurrentTerms, *, cancel: Move, ask: Move
) -> tuple[Move, dict[str, Any]] | None:
    """The move, with what it says, that cancels a request or has it approved first, as policy now
    says; None while policy still accepts it."""
    if not terms.is_granted:
        return cancel, {"reason": GRANT_IS_GONE, "error_code": ErrorCode.NOT_GRANTED}
    if terms.needs_approval:
        return ask, {"reason": APPROVAL_NEEDED_NOW}
    return None
