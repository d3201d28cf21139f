"""The recipient's browser confirms that it opened the key: the ciphertext goes for good."""

import enum
import hmac
import uuid
from datetime import timedelta
from typing import Any, NamedTuple

from portal import clock, life, policy
from portal.audit import Actor
from portal.life import Effects, Work, moves
from portal.models import NoticeKind, State, Token
from portal.models.states import AWAITING_PEOPLE


class Confirmation(enum.Enum):
    """How a confirmation came out."""

    DELIVERED = "delivered"
    WRONG_FINGERPRINT = "wrong_fingerprint"
    NOT_SEALED_YET = "not_sealed_yet"
    GONE = "gone"


class Delivery(NamedTuple):
    """How a confirmation came out, and the token's state now."""

    confirmation: Confirmation
    state: State
    effects: Effects


def deliver(token_id: uuid.UUID, fingerprint: str, *, actor: Actor) -> Delivery:
    """Wipe the ciphertext and make the token active, once the browser proves that it has the key.

    ``fingerprint`` is the lower-case hex SHA-256 of the key. A repeated confirmation with the same
    fingerprint succeeds again, so a lost answer loses no key. Raises PermissionDenied for
    anybody but the recipient.
    """
    with life.work(actor) as work:
        token, replaced = work.lock_with_replaced(token_id)
        policy.require(policy.may_receive, actor.user, token)
        confirmation = _confirmation(token, fingerprint)
        if confirmation is Confirmation.DELIVERED and token.delivered_at is None:
            overlap = policy.overlap_of(token) if replaced is not None else None
            work.move(token, moves.DELIVER, recipient=actor.user, **_cut(token, overlap))
            if replaced is not None and overlap is not None:
                _begin_overlap(work, replaced, token, overlap)
    return Delivery(confirmation, State(token.state), work.effects)


def _confirmation(token: Token, fingerprint: str) -> Confirmation:
    if token.state in (*AWAITING_PEOPLE, State.QUEUED, State.ISSUING):
        return Confirmation.NOT_SEALED_YET
    if token.state != State.SEALED and token.delivered_at is None:
        return Confirmation.GONE
    if not hmac.compare_digest(token.fingerprint, fingerprint):
        return Confirmation.WRONG_FINGERPRINT
    return Confirmation.DELIVERED


def _cut(token: Token, overlap: int | None) -> dict[str, Any]:
    """What is on record of an overlap that has come to be longer than the team's policy allows."""
    if overlap is None or overlap == token.overlap_seconds:
        return {}
    return {"subject": f"overlap of {overlap} s, the team's maximum, not {token.overlap_seconds}"}


def _begin_overlap(work: Work, replaced: Token, token: Token, overlap: int) -> None:
    """The new key is in use from now on: fix when the old one goes. The sweep carries it out."""
    if replaced.state != State.ACTIVE or replaced.expires_at is None or token.delivered_at is None:
        return
    # An end, and so in AWS's time, whatever the database's clock says.
    begun = token.delivered_at - clock.ahead()
    over = min(begun + timedelta(seconds=overlap), replaced.expires_at)
    hold = policy.longest_hold(token, overlap)
    if hold is not None:
        replaced.change(quiet_from=over)
        over = min(begun + timedelta(seconds=hold), replaced.expires_at)
    if replaced.notice_ends_at is None:
        replaced.change(revoke_at=over)
    else:
        replaced.change(overlap_ends_at=over, revoke_at=min(over, replaced.notice_ends_at))
    if replaced.owner_id != token.owner_id:
        work.tell(NoticeKind.REPLACED, replaced, to=[replaced.owner], by=token.owner.email)
