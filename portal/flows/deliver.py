"""The recipient's browser confirms that it opened the key: the ciphertext goes for good."""

import enum
import hmac
import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from portal import audit, notify, policy
from portal.audit import Actor
from portal.models import Action, NoticeKind, State, Token
from portal.models.states import AWAITING_PEOPLE


class Confirmation(enum.Enum):
    """How a confirmation came out."""

    DELIVERED = "delivered"
    WRONG_FINGERPRINT = "wrong_fingerprint"
    NOT_SEALED_YET = "not_sealed_yet"
    GONE = "gone"


def deliver(token_id: uuid.UUID, fingerprint: str, *, actor: Actor) -> Confirmation:
    """Wipe the ciphertext and make the token active, once the browser proves that it has the key.

    ``fingerprint`` is the lower-case hex SHA-256 of the key. A repeated confirmation with the same
    fingerprint succeeds again, so a lost answer loses no key. Raises policy.NotPermittedError for
    anybody but the recipient.
    """
    with transaction.atomic():
        token, replaced = Token.objects.lock_with_replaced(token_id)
        if actor.user is None or not policy.may_receive(actor.user, token):
            raise policy.NotPermittedError
        if token.state in (*AWAITING_PEOPLE, State.QUEUED, State.ISSUING):
            return Confirmation.NOT_SEALED_YET
        if token.state != State.SEALED and token.delivered_at is None:
            return Confirmation.GONE
        if not hmac.compare_digest(token.fingerprint, fingerprint):
            return Confirmation.WRONG_FINGERPRINT
        if token.delivered_at is not None:
            return Confirmation.DELIVERED
        token.move_to(State.ACTIVE, sealed_key=None, delivered_at=Now())
        if replaced is not None and token.overlap_seconds is not None:
            _begin_overlap(replaced, token)
        audit.record(Action.TOKEN_DELIVERED, actor=actor, token=token)
    return Confirmation.DELIVERED


def _begin_overlap(replaced: Token, token: Token) -> None:
    """The new key is in use from now on: fix when the old one goes. The sweep carries it out."""
    if replaced.state != State.ACTIVE or replaced.expires_at is None or token.delivered_at is None:
        return
    over = token.delivered_at + timedelta(seconds=token.overlap_seconds or 0)
    replaced.change(revoke_at=min(over, replaced.expires_at))
    if replaced.owner_id != token.owner_id:
        notify.tell(NoticeKind.REPLACED, token=replaced, to=[replaced.owner], by=token.owner.email)
