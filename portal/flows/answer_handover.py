"""Whoever was asked to own a token accepts or declines; until then it stays whose it was.

An offer that is taken back, that nobody answers for a week, or whose token ends, is over.
"""

import uuid
from dataclasses import dataclass

from django.db.models import Q
from django.db.models.functions import Now

from portal import life, policy
from portal.audit import Actor
from portal.flows.deadlines import LONGEST_WAIT_FOR_PEOPLE
from portal.flows.hand_over import HandOverRefusedError, give, require_room
from portal.life import Effects, Work, WrongStateError
from portal.models import Handover, HandoverAnswer, NoticeKind, Token
from portal.models.queries import BATCH_SIZE


@dataclass(frozen=True, slots=True)
class Accepted:
    """Whether the giver wished that the key is renewed, and what is left to do."""

    renews: bool
    effects: Effects


def accept(token_id: uuid.UUID, *, actor: Actor) -> Accepted:
    """Own the token from now on.

    Everything is asked again: who offered it may have lost the right to, who accepts may have as
    many tokens as their grant allows. Raises PermissionDenied, life.WrongStateError or
    HandOverRefusedError.
    """
    with life.work(actor) as work:
        token, offer = _lock(work, token_id, "accepted")
        heir = policy.require(policy.may_answer_offer, actor.user, offer)
        if token.state not in policy.CAN_BE_HANDED_OVER:
            raise WrongStateError(token, "accepted")
        if not policy.may_hand_over(offer.giver, token):
            raise HandOverRefusedError(
                f"{offer.giver.email}, who offered it, may not hand this token over any more."
            )
        if not policy.belongs(heir, token.team):
            raise HandOverRefusedError(f"You are no longer in team {token.team.name}.")
        require_room(token, heir)
        offer.close(HandoverAnswer.ACCEPTED)
        give(work, token, heir, by=offer.giver, reason=offer.reason)
    return Accepted(offer.renews, work.effects)


def decline(token_id: uuid.UUID, *, actor: Actor, reason: str = "") -> Effects:
    """Not own it: who offered it is told.

    Raises PermissionDenied or life.WrongStateError.
    """
    with life.work(actor) as work:
        token, offer = _lock(work, token_id, "declined")
        policy.require(policy.may_answer_offer, actor.user, offer)
        offer.close(HandoverAnswer.DECLINED)
        work.tell(NoticeKind.HANDOVER_DECLINED, token, to=[offer.giver], reason=reason)
        work.record_change(token, f"{offer.heir.email} declined to own it", reason=reason)
    return work.effects


def withdraw(token_id: uuid.UUID, *, actor: Actor) -> Effects:
    """Take an offer back, by whoever may hand the token over.

    Raises PermissionDenied or life.WrongStateError.
    """
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_hand_over, actor.user, token)
        offer = policy.offered(token)
        if offer is None:
            raise WrongStateError(token, "taken back")
        offer.close(HandoverAnswer.WITHDRAWN)
        work.record_change(token, f"no longer offered to {offer.heir.email}")
    return work.effects


def end_offers() -> Effects:
    """End what nobody answered for a week, and tell who offered it; and, without a word, what was
    offered of tokens that have ended. A job of the sweep."""
    is_over = Q(created_at__lt=Now() - LONGEST_WAIT_FOR_PEOPLE)
    has_ended = ~Q(token__state__in=policy.CAN_BE_HANDED_OVER)
    due = Handover.objects.unanswered().filter(is_over | has_ended)
    tokens = list(due.values_list("token", flat=True)[:BATCH_SIZE])
    if not tokens:
        return Effects()

    def end(work: Work, token: Token) -> None:
        offer = due.filter(token=token).select_related("giver", "heir").first()
        if offer is None:
            return
        if token.state not in policy.CAN_BE_HANDED_OVER:
            offer.close(HandoverAnswer.OVERTAKEN)
            return
        offer.close(HandoverAnswer.LAPSED)
        why = f"{offer.heir.email} did not answer within 7 days."
        work.tell(NoticeKind.HANDOVER_LAPSED, token, to=[offer.giver], reason=why)
        work.record_change(token, f"no longer offered to {offer.heir.email}", reason=why)

    return life.work_on_each(Token.objects.filter(pk__in=tokens), Q(), end)


def _lock(work: Work, token_id: uuid.UUID, done: str) -> tuple[Token, Handover]:
    token = work.lock(token_id)
    offer = policy.offered(token)
    if offer is None:
        raise WrongStateError(token, done)
    return token, offer
