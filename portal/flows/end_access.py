"""Ends what people asked for and may not have any more: their team, grant or account was closed.

Policy is asked, not whoever changed it: whatever took the access away, the next sweep would end the
same. Live tokens that were delivered stay, for a lead or an admin to decide on, unless their owner
or whoever took their key has left a team whose ``on_leaving`` says that they end.
"""

import uuid
from collections.abc import Callable, Collection

from django.db.models import Q

from portal import life, policy
from portal.audit import SYSTEM, Actor
from portal.life import Effects, Work, moves
from portal.models import State, Token
from portal.models.queries import BATCH_SIZE, TokenQuerySet

_HOW = {
    State.SEALED: moves.BEGIN_REVOCATION,
    State.ISSUING: moves.WITHDRAW,
}


def end_access(*, actor: Actor = SYSTEM, people: Collection[int] | None = None) -> Effects:
    """End every open request and every undelivered key whose owner has lost access, and every live
    token of who left a team that keeps none.

    ``people`` are the ids of those whom it is about; None asks for everybody. Each row in a short
    transaction of its own, conditional on the state that it was found in.
    """
    lost = policy.without_access().filter(state__in=policy.UNDELIVERED, cancel_requested=False)
    effects = _end_each(lost, _end_undelivered, actor, people)
    effects += _end_each(policy.not_kept_on_leaving(), _end_live, actor, people)
    return effects


def _end_each(
    due: TokenQuerySet,
    end: Callable[[Work, Token], None],
    actor: Actor,
    people: Collection[int] | None,
) -> Effects:
    if people is not None:
        due = due.filter(Q(owner__in=people) | Q(recipient__in=people))
    effects = Effects()
    seen: list[uuid.UUID] = []
    while ids := list(due.exclude(pk__in=seen).values_list("pk", flat=True)[:BATCH_SIZE]):
        seen += ids
        for pk in ids:
            with life.work(actor) as work:
                end(work, work.lock(pk))
            effects += work.effects
    return effects


def _end_undelivered(work: Work, token: Token) -> None:
    reason = policy.why_without_access(token)
    if not reason or token.state not in policy.UNDELIVERED or token.cancel_requested:
        return
    work.move(token, _HOW.get(State(token.state), moves.CANCEL), reason=reason)


def _end_live(work: Work, token: Token) -> None:
    reason = policy.why_not_kept(token)
    if reason and token.state == State.ACTIVE:
        work.move(token, moves.BEGIN_REVOCATION, reason=reason)
