"""Ends what people asked for and may not have any more: their team, grant or account was closed.

Policy is asked, not whoever changed it: whatever took the access away, the next sweep would end the
same. Live tokens that were delivered stay, for a lead or an admin to decide on.
"""

import uuid
from dataclasses import dataclass, field

from django.db import transaction

from portal import audit, notify, policy
from portal.audit import SYSTEM, Actor
from portal.models import Action, NoticeKind, State, Token

AT_A_TIME = 200


@dataclass(slots=True)
class Ended:
    """Whose bell the caller rings, and which of them a worker is to delete at AWS."""

    changed: list[uuid.UUID] = field(default_factory=list)
    revoke: list[uuid.UUID] = field(default_factory=list)


def end_access(*, actor: Actor = SYSTEM) -> Ended:
    """End every open request and every undelivered key whose owner has lost access.

    Each in a short transaction of its own, conditional on the state that it was found in.
    """
    ended = Ended()
    due = policy.without_access().filter(state__in=policy.UNDELIVERED, cancel_requested=False)
    while ids := list(due.exclude(pk__in=ended.changed).values_list("pk", flat=True)[:AT_A_TIME]):
        for pk in ids:
            _end(pk, actor, ended)
    return ended


def _end(pk: uuid.UUID, actor: Actor, ended: Ended) -> None:
    ended.changed.append(pk)
    with transaction.atomic():
        token = Token.objects.lock(pk)
        reason = policy.why_without_access(token)
        if not reason or token.state not in policy.UNDELIVERED or token.cancel_requested:
            return
        kind, action = NoticeKind.LAPSED, Action.TOKEN_CANCELLED
        told = {"ended_by": actor.label, "end_reason": reason}
        if token.state == State.SEALED:
            token.move_to(State.REVOKING, sealed_key=None, not_before=None, rung_at=None, **told)
            kind, action = NoticeKind.REVOKED, Action.TOKEN_REVOKE_REQUESTED
            ended.revoke.append(pk)
        elif token.state == State.ISSUING:
            token.change(cancel_requested=True, **told)
        else:
            token.move_to(State.CANCELLED, not_before=None, **told)
        by = actor.label if actor.user else "The portal"
        notify.tell(kind, token=token, to=[token.owner], by=by, reason=reason)
        audit.record(action, actor=actor, token=token, reason=reason)
