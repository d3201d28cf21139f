"""A lead answers a request that policy has them agree to."""

import uuid

from django.db.models.functions import Now

from portal import life, policy
from portal.audit import Actor
from portal.life import Effects, Work, moves
from portal.models import Token


def approve(
    token_id: uuid.UUID, *, actor: Actor, seconds_to_live: int | None = None, reason: str = ""
) -> Effects:
    """Agree to a request: its owner is told, and collects the token when they open its page.

    ``seconds_to_live`` may shorten what was asked for, never lengthen it. Raises
    PermissionDenied or life.WrongStateError.
    """
    with life.work(actor) as work:
        token = _lock(work, token_id)
        asked = token.seconds_to_live
        agreed = min(seconds_to_live or asked, asked)
        work.move(
            token,
            moves.APPROVE,
            reason=reason,
            approval_comment=reason,
            seconds_asked=asked if agreed < asked else None,
            seconds_to_live=agreed,
            approved_by=actor.label,
            approved_at=Now(),
            approved_account=token.service_account.name,
            approved_role=token.service_account.grafana_role,
        )
    return work.effects


def undo(token_id: uuid.UUID, *, actor: Actor, reason: str = "") -> Effects:
    """Take an approval back before the token is collected: the request waits as it was asked for.

    Raises PermissionDenied or life.WrongStateError.
    """
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_approve, work.actor.user, token)
        if not token.approved_by:
            raise life.WrongStateError(token, moves.UNDO_APPROVAL.done)
        work.move(
            token,
            moves.UNDO_APPROVAL,
            reason=reason,
            seconds_to_live=token.seconds_asked or token.seconds_to_live,
        )
    return work.effects


def deny(token_id: uuid.UUID, *, actor: Actor, reason: str) -> Effects:
    """Refuse a request: its owner is told why.

    Raises PermissionDenied or life.WrongStateError.
    """
    with life.work(actor) as work:
        token = _lock(work, token_id)
        work.move(token, moves.DENY, reason=reason)
    return work.effects


def _lock(work: Work, token_id: uuid.UUID) -> Token:
    token = work.lock(token_id)
    policy.require(policy.may_approve, work.actor.user, token)
    return token
