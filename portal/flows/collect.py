"""The recipient collects a token that was approved or reissued: only now is it made."""

import uuid

from django.db import transaction
from django.db.models.functions import Now

from portal import audit, policy, sealing
from portal.audit import Actor
from portal.flows.standing import turn_back
from portal.models import Action, State, Token
from portal.models.states import WAITING_FOR_KEY


class NotNowError(Exception):
    """The token can't be made at the moment; the request stays. The message is for people."""


def collect(token_id: uuid.UUID, public_key: bytes, *, actor: Actor) -> State:
    """Queue the token for the browser that made ``public_key`` (DER); returns its state then.

    Policy is asked again: the lifetime may have become shorter, the request may be ``cancelled``
    because its grant is gone, or back in ``awaiting_approval``. The same public key once more (a
    double click) is the same collection. Raises policy.NotPermittedError, policy.WrongStateError,
    or NotNowError.
    """
    sha256 = sealing.public_key_sha256(public_key)
    with transaction.atomic():
        token = Token.objects.lock(token_id)
        if actor.user is None or not policy.may_receive(actor.user, token):
            raise policy.NotPermittedError
        if token.state in WAITING_FOR_KEY and token.public_key_sha256 == sha256:
            return State(token.state)
        if token.state != State.AWAITING_RECIPIENT:
            raise policy.WrongStateError(token)
        # Of the row as it is locked: an approval may just have come, and shortened it.
        standing = policy.standing(token)
        if turn_back(token, standing):
            return State(token.state)
        if obstacle := token.service_account.obstacle:
            raise NotNowError(obstacle)
        token.move_to(
            State.QUEUED,
            public_key=public_key,
            public_key_sha256=sha256,
            seconds_to_live=standing.seconds_to_live,
            queued_at=Now(),
            rung_at=Now(),
        )
        audit.record(Action.TOKEN_COLLECTED, actor=actor, token=token)
    return State.QUEUED
