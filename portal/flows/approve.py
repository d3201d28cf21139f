"""A lead answers a request that policy has them agree to."""

import uuid

from django.db import transaction
from django.db.models.functions import Now

from portal import audit, notify, policy
from portal.audit import Actor
from portal.models import Action, NoticeKind, State, Token


def approve(
    token_id: uuid.UUID, *, actor: Actor, seconds_to_live: int | None = None, reason: str = ""
) -> None:
    """Agree to a request: its owner is told, and collects the token when they open its page.

    ``seconds_to_live`` may shorten what was asked for, never lengthen it. Raises
    policy.NotPermittedError or policy.WrongStateError.
    """
    with transaction.atomic():
        token = _answerable(token_id, actor)
        token.move_to(
            State.AWAITING_RECIPIENT,
            seconds_to_live=min(seconds_to_live or token.seconds_to_live, token.seconds_to_live),
            approved_by=actor.label,
            approved_at=Now(),
        )
        notify.tell(
            NoticeKind.APPROVED, token=token, to=[token.owner], by=actor.label, reason=reason
        )
        audit.record(Action.TOKEN_APPROVED, actor=actor, token=token, reason=reason)


def deny(token_id: uuid.UUID, *, actor: Actor, reason: str) -> None:
    """Refuse a request: its owner is told why.

    Raises policy.NotPermittedError or policy.WrongStateError.
    """
    with transaction.atomic():
        token = _answerable(token_id, actor)
        token.move_to(State.DENIED, ended_by=actor.label, end_reason=reason)
        notify.tell(NoticeKind.DENIED, token=token, to=[token.owner], by=actor.label, reason=reason)
        audit.record(Action.TOKEN_DENIED, actor=actor, token=token, reason=reason)


def _answerable(token_id: uuid.UUID, actor: Actor) -> Token:
    token = Token.objects.lock(token_id)
    if actor.user is None or not policy.may_approve(actor.user, token):
        raise policy.NotPermittedError
    if token.state != State.AWAITING_APPROVAL:
        raise policy.WrongStateError(token)
    return token
