"""Gives a live token another owner of its team; its key stays where it is used.

Whoever is to own it is asked first (portal.flows.answer_handover), unless a lead or an admin gives
what somebody left, or takes it themselves.
"""

import uuid
from dataclasses import dataclass

from portal import life, mailbox, policy
from portal.audit import Actor
from portal.life import Effects, Work, WrongStateError
from portal.logs import mask
from portal.models import Handover, HandoverAnswer, NoticeKind, Team, Token, User

HANDED_OVER = "handed over"


class HandOverRefusedError(Exception):
    """This person can't become the token's owner; says why, for people."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Whether the new owner owns it now, or is asked; their address, and what is left to do."""

    at_once: bool
    heir: str
    effects: Effects


def hand_over(
    token_id: uuid.UUID,
    *,
    to: str,
    actor: Actor,
    asks: bool = True,
    renews: bool = False,
    reason: str = "",
) -> HandedOver:
    """Ask the person with the address ``to`` to own the token, or make them its owner at once.

    ``asks`` is False for programs and for pages of older versions, which know no question.
    ``renews`` is for who accepts: their browser then gets a new key, which nobody else knows.
    Raises PermissionDenied, life.WrongStateError or HandOverRefusedError.
    """
    with life.work(actor) as work:
        token = work.lock(token_id)
        giver = policy.require(policy.may_hand_over, actor.user, token)
        if token.state not in policy.CAN_BE_HANDED_OVER:
            raise WrongStateError(token, HANDED_OVER)
        wanted = mailbox.spellings(to)
        heir = next((one for one in policy.possible_owners(token) if one.email in wanted), None)
        if heir is None:
            raise HandOverRefusedError(f"Choose somebody else of team {token.team.name}.")
        require_room(token, heir)
        offer = policy.offered(token)
        at_once = not asks or giver == heir or policy.may_hand_over_unasked(giver, token)
        if at_once:
            if offer is not None:
                offer.close(HandoverAnswer.OVERTAKEN)
            give(work, token, heir, reason=reason)
        elif offer is None:
            _ask(work, token, Handover(giver=giver, heir=heir, renews=renews), reason)
        elif offer.heir != heir:
            raise HandOverRefusedError(
                f"{offer.heir.email} has been asked already: take that back first."
            )
    return HandedOver(at_once, heir.email, work.effects)


def require_room(token: Token, heir: User) -> None:
    """Raise HandOverRefusedError unless this person could have asked for the token themselves."""
    entitlement = policy.entitlement_for(heir, token.team, token.service_account)
    if entitlement is None:
        raise HandOverRefusedError("The team has no grant for this service account any more.")
    limit = entitlement.limits.max_live_per_person
    if limit is not None:
        # As in portal.flows.request: two at once would each find the last place.
        Team.objects.select_for_update(no_key=True).get(pk=token.team_id)
    _, own = policy.usage(heir, [entitlement]).live(entitlement)
    if limit is not None and own >= limit:
        raise HandOverRefusedError(
            f"{heir.email} has as many live tokens under this grant as it allows: {limit}."
        )


def give(work: Work, token: Token, heir: User, *, by: User | None = None, reason: str = "") -> None:
    """Make somebody the owner of a locked token; tell both, and the team's leads, but not who does
    it by accepting. ``by`` is who had offered it.

    Whoever took the key stays its recipient: they may still have it.
    """
    before = token.owner
    token.change(owner=heir)
    told = [before, heir, *policy.responsible_for(token.team)]
    if by is not None:
        told = [person for person in told if person != heir]
    work.tell(
        NoticeKind.HANDED_OVER, token, to=told, by=by.email if by is not None else "", reason=reason
    )
    work.record_change(token, f"owner {before.email} → {heir.email}", reason=reason)


def _ask(work: Work, token: Token, offer: Handover, reason: str) -> None:
    offer.token, offer.reason = token, mask(reason)[:500]
    offer.save(force_insert=True)
    work.tell(NoticeKind.HANDOVER_ASKED, token, to=[offer.heir], reason=reason)
    work.record_change(token, f"offered to {offer.heir.email}", reason=reason)
