"""The recipient collects a token that was approved or reissued: only now is it made."""

import uuid
from typing import NamedTuple

from portal import life, policy, sealing
from portal.audit import SYSTEM, Actor
from portal.flows.recheck import turned_back
from portal.life import Effects, moves
from portal.models import State
from portal.models.states import WAITING_FOR_KEY


class NotNowError(Exception):
    """The token can't be made at the moment; the request stays. The message is for people."""


class Collected(NamedTuple):
    """The token's state now, which policy may have made another than ``queued``."""

    state: State
    effects: Effects


def collect(token_id: uuid.UUID, public_key: bytes, *, actor: Actor) -> Collected:
    """Queue the token for the browser that made ``public_key`` (DER).

    Policy is asked again: the lifetime may have become shorter, the request may be ``cancelled``
    because its grant is gone, or back in ``awaiting_approval``. The same public key once more (a
    double click) is the same collection. Raises PermissionDenied, life.WrongStateError,
    or NotNowError.
    """
    sha256 = sealing.public_key_sha256(public_key)
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_receive, actor.user, token)
        if token.state in WAITING_FOR_KEY and token.public_key_sha256 == sha256:
            return Collected(State(token.state), work.effects)
        moves.COLLECT.require(token)
        # Of the row as it is locked: an approval may just have come, and shortened it.
        terms = policy.current_terms(token)
        back = turned_back(terms, cancel=moves.CANCEL, ask=moves.ASK_APPROVAL)
        if back is not None:
            move, said = back
            work.move(token, move, by=SYSTEM, **said)
        elif obstacle := token.service_account.obstacle:
            raise NotNowError(obstacle)
        else:
            work.move(
                token,
                moves.COLLECT,
                public_key=public_key,
                public_key_sha256=sha256,
                seconds_to_live=terms.seconds_to_live,
            )
    return Collected(State(token.state), work.effects)
