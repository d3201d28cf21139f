"""In which order the audit log may tell of a token, and the state in which it leaves the row."""

import itertools
from collections.abc import Iterable, Sequence

from portal.models import Action, AuditEvent, State, Token
from portal.models.states import AWAITING_PEOPLE

WITHDRAWN_AND_ISSUED = "token.issued, though withdrawn"
"""The request was withdrawn while AWS was being called: nobody may have the key that came."""

FOLLOWS: dict[str, set[str]] = {
    Action.TOKEN_REQUESTED: {
        Action.TOKEN_REQUESTED,  # policy has come to ask for approval
        Action.TOKEN_APPROVED,
        Action.TOKEN_DENIED,
        Action.TOKEN_COLLECTED,
        Action.TOKEN_ISSUED,
        Action.TOKEN_FAILED,
        Action.TOKEN_CANCELLED,
    },
    Action.TOKEN_APPROVED: {Action.TOKEN_COLLECTED, Action.TOKEN_CANCELLED},
    Action.TOKEN_COLLECTED: {
        Action.TOKEN_REQUESTED,
        Action.TOKEN_ISSUED,
        Action.TOKEN_FAILED,
        Action.TOKEN_CANCELLED,
    },
    Action.TOKEN_DENIED: set(),
    Action.TOKEN_CANCELLED: {WITHDRAWN_AND_ISSUED},
    WITHDRAWN_AND_ISSUED: {Action.TOKEN_REVOKED},
    Action.TOKEN_ISSUED: {
        Action.TOKEN_DELIVERED,
        Action.TOKEN_UNCLAIMED,
        Action.TOKEN_REVOKE_REQUESTED,
    },
    Action.TOKEN_DELIVERED: {Action.TOKEN_REVOKE_REQUESTED, Action.TOKEN_EXPIRED},
    Action.TOKEN_UNCLAIMED: {Action.TOKEN_REVOKED},
    Action.TOKEN_REVOKE_REQUESTED: {Action.TOKEN_REVOKED},
    Action.TOKEN_REVOKED: {Action.TOKEN_PRUNED},
    Action.TOKEN_EXPIRED: {Action.TOKEN_PRUNED},
    Action.TOKEN_FAILED: set(),
    Action.TOKEN_PRUNED: set(),
}

LEAVES: dict[str, set[str]] = {
    Action.TOKEN_REQUESTED: {*AWAITING_PEOPLE, State.QUEUED, State.ISSUING},
    Action.TOKEN_APPROVED: {State.AWAITING_RECIPIENT},
    Action.TOKEN_COLLECTED: {State.QUEUED, State.ISSUING},
    Action.TOKEN_DENIED: {State.DENIED},
    Action.TOKEN_CANCELLED: {State.CANCELLED, State.ISSUING},
    WITHDRAWN_AND_ISSUED: {State.REVOKING},
    Action.TOKEN_ISSUED: {State.SEALED},
    Action.TOKEN_DELIVERED: {State.ACTIVE},
    Action.TOKEN_UNCLAIMED: {State.REVOKING},
    Action.TOKEN_REVOKE_REQUESTED: {State.REVOKING},
    Action.TOKEN_REVOKED: {State.REVOKED},
    Action.TOKEN_EXPIRED: {State.EXPIRED},
    Action.TOKEN_FAILED: {State.FAILED},
    Action.TOKEN_PRUNED: {State.REVOKED, State.EXPIRED},
}


BESIDE = (Action.TOKEN_ORPHAN_REMOVED, Action.TOKEN_REISSUED)
"""What moves the row nowhere: these two may come in between."""
REPLACEABLE_AFTER = (
    Action.TOKEN_DELIVERED,
    Action.TOKEN_REVOKE_REQUESTED,  # of the same reissue: replaced at once
    Action.TOKEN_REISSUED,
    Action.TOKEN_ORPHAN_REMOVED,
)


def actions(token: Token) -> list[str]:
    """What the audit log tells of a token, in order."""
    told = AuditEvent.objects.filter(token_id=token.pk).order_by("seq")
    return list(told.values_list("action", flat=True))


def fault_in(actions: Sequence[str], state: str) -> str:
    """What is wrong with a token's events, in their order, beside its row's state; "" if nothing.

    What an attempt of unknown outcome has left may be removed at any time after the request.
    """
    if actions[:1] != [Action.TOKEN_REQUESTED]:
        return f"the story does not begin with its request: {actions}"
    for before, after in itertools.pairwise(actions):
        if after == Action.TOKEN_REISSUED and before not in REPLACEABLE_AFTER:
            return f"what has no live token was replaced: {actions}"
    story = list(_story(actions))
    for before, after in itertools.pairwise(story):
        if after not in FOLLOWS[before]:
            return f"{after} can't follow {before}: {actions}"
    return "" if state in LEAVES[story[-1]] else f"{actions} does not leave it {state}"


def _story(actions: Iterable[str]) -> Iterable[str]:
    withdrawn = False
    for action in actions:
        withdrawn = withdrawn or action == Action.TOKEN_CANCELLED
        if action == Action.TOKEN_ISSUED and withdrawn:
            yield WITHDRAWN_AND_ISSUED
        elif action not in BESIDE:
            yield action
