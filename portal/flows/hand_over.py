"""Gives a live token another owner of its team; its key stays where it is used."""

import uuid

from django.db import transaction

from portal import audit, mailbox, notify, policy
from portal.audit import Actor
from portal.models import Action, NoticeKind, Team, Token


class HandOverRefusedError(Exception):
    """This person can't become the token's owner; says why, for people."""


def hand_over(token_id: uuid.UUID, *, to: str, actor: Actor, reason: str = "") -> None:
    """Make the person with the address ``to`` the token's owner, and tell both.

    Raises policy.NotPermittedError, policy.WrongStateError or HandOverRefusedError.
    """
    with transaction.atomic():
        token = Token.objects.lock(token_id)
        if actor.user is None or not policy.may_hand_over(actor.user, token):
            raise policy.NotPermittedError
        if token.state not in policy.HANDABLE:
            raise policy.WrongStateError(token)
        before = token.owner
        wanted = mailbox.spellings(to)
        heir = next((one for one in policy.heirs_of(token) if one.email in wanted), None)
        if heir is None:
            raise HandOverRefusedError(f"Choose somebody else of team {token.team.name}.")
        choice = policy.choice_for(heir, token.team, token.service_account)
        if choice is None:
            raise HandOverRefusedError("The team has no grant for this service account any more.")
        limit = choice.limits.max_live_per_person
        if limit is not None:
            # As in portal.flows.request: two at once would each find the last place.
            Team.objects.select_for_update(no_key=True).get(pk=token.team_id)
        _, own = policy.room(heir, [choice]).live(choice)
        if limit is not None and own >= limit:
            raise HandOverRefusedError(
                f"{heir.email} has as many live tokens under this grant as it allows: {limit}."
            )
        token.change(owner=heir)
        both = [before, heir]
        notify.tell(NoticeKind.HANDED_OVER, token=token, to=both, by=actor.label, reason=reason)
        subject = f"~ token {token.name}: owner {before.email} → {heir.email}"
        audit.record(
            Action.ACCESS_CHANGED, actor=actor, token=token, subject=subject, reason=reason
        )
