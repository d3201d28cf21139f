"""Gives a live token another owner of its team; its key stays where it is used."""

import uuid

from portal import life, mailbox, policy
from portal.audit import Actor
from portal.life import Effects, WrongStateError
from portal.models import Action, NoticeKind, Team


class HandOverRefusedError(Exception):
    """This person can't become the token's owner; says why, for people."""


def hand_over(token_id: uuid.UUID, *, to: str, actor: Actor, reason: str = "") -> Effects:
    """Make the person with the address ``to`` the token's owner; tell both, and the team's leads.

    Whoever took the key stays its recipient: they may still have it.

    Raises PermissionDenied, life.WrongStateError or HandOverRefusedError.
    """
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_hand_over, actor.user, token)
        if token.state not in policy.CAN_BE_HANDED_OVER:
            raise WrongStateError(token, "handed over")
        before = token.owner
        wanted = mailbox.spellings(to)
        heir = next((one for one in policy.possible_owners(token) if one.email in wanted), None)
        if heir is None:
            raise HandOverRefusedError(f"Choose somebody else of team {token.team.name}.")
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
        token.change(owner=heir)
        told = [before, heir, *policy.responsible_for(token.team)]
        work.tell(NoticeKind.HANDED_OVER, token, to=told, reason=reason)
        subject = f"~ token {token.name}: owner {before.email} → {heir.email}"
        work.record(Action.ACCESS_CHANGED, token=token, subject=subject, reason=reason)
    return work.effects
