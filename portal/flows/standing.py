"""What becomes of a request that policy has taken, and would not take any more as it is.

Policy is asked again when a token is collected and when a worker claims it: the rule is shared by
portal.flows.collect and portal.flows.issue.
"""

from typing import Any

from portal import audit, notify
from portal.audit import SYSTEM
from portal.models import Action, NoticeKind, State, Token
from portal.policy import Standing, approvers_of

NOT_GRANTED = "NotGranted"

GRANT_IS_GONE = "The grant for this service account ended before the token was made."
APPROVAL_NEEDED_NOW = "Policy has come to ask for approval."


def turn_back(row: Token, standing: Standing, **fields: Any) -> bool:
    """Cancel a locked row, or have it approved first, as policy now says; needs a transaction.

    False, and nothing is written, when policy still takes it. ``fields`` are written with it.
    """
    if row.cancel_requested:  # a withdrawal is on record already
        row.move_to(State.CANCELLED, **fields)
        return True
    if not standing.is_granted:
        row.move_to(
            State.CANCELLED,
            error_code=NOT_GRANTED,
            ended_by=SYSTEM.label,
            end_reason=GRANT_IS_GONE,
            **fields,
        )
        audit.record(Action.TOKEN_CANCELLED, actor=SYSTEM, token=row, reason=GRANT_IS_GONE)
        return True
    if standing.needs_approval:
        # The key pair may be lost before people answer: the recipient's browser makes another.
        row.move_to(State.AWAITING_APPROVAL, public_key=b"", rung_at=None, **fields)
        notify.tell(NoticeKind.APPROVAL_ASKED, token=row, to=approvers_of(row), by=row.owner.email)
        audit.record(Action.TOKEN_REQUESTED, actor=SYSTEM, token=row, reason=APPROVAL_NEEDED_NOW)
        return True
    return False
