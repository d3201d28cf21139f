"""Ends what people asked for and may not have any more: their team, grant or account was closed.

Policy is asked, not whoever changed it: whatever took the access away, the next sweep would end the
same. Live tokens that were delivered stay, for a lead or an admin to decide on.
"""

import uuid

from portal import life, policy
from portal.audit import SYSTEM, Actor
from portal.life import Effects, Work, moves
from portal.models import State, User
from portal.models.queries import BATCH_SIZE

_HOW = {
    State.SEALED: moves.BEGIN_REVOCATION,
    State.ISSUING: moves.WITHDRAW,
}


def end_access(*, actor: Actor = SYSTEM, of: User | None = None) -> Effects:
    """End every open request and every undelivered key whose owner has lost access.

    ``of`` is the one person who may have lost anything; without, everybody is looked at.

    Each in a short transaction of its own, conditional on the state that it was found in.
    """
    effects = Effects()
    seen: list[uuid.UUID] = []
    due = policy.without_access().filter(state__in=policy.UNDELIVERED, cancel_requested=False)
    if of is not None:
        due = due.filter(owner=of)
    while ids := list(due.exclude(pk__in=seen).values_list("pk", flat=True)[:BATCH_SIZE]):
        seen += ids
        for pk in ids:
            with life.work(actor) as work:
                _end(work, pk)
            effects += work.effects
    return effects


def _end(work: Work, pk: uuid.UUID) -> None:
    token = work.lock(pk)
    reason = policy.why_without_access(token)
    if not reason or token.state not in policy.UNDELIVERED or token.cancel_requested:
        return
    work.move(token, _HOW.get(State(token.state), moves.CANCEL), reason=reason)
