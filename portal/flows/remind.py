"""Whoever waits for an approval has those who may give it mailed once more."""

import uuid
from datetime import timedelta
from typing import NamedTuple

from django.db.models.functions import Now

from portal import life, policy
from portal.audit import Actor
from portal.life import Effects, moves
from portal.models import Notice, NoticeKind

PAUSE = timedelta(hours=1)
"""Between two mails of the same request."""


class Reminded(NamedTuple):
    """Who is mailed; nobody when the last mail is not that old."""

    people: list[str]
    effects: Effects


def remind(token_id: uuid.UUID, *, actor: Actor) -> Reminded:
    """Raises PermissionDenied for anybody but the recipient, or life.WrongStateError."""
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_receive, actor.user, token)
        moves.APPROVE.require(token, "reminded of")
        told = Notice.objects.filter(token=token, kind=NoticeKind.APPROVAL_ASKED)
        if told.filter(created_at__gt=Now() - PAUSE).exists():
            return Reminded([], work.effects)
        people = policy.approvers_of(token)
        work.tell(NoticeKind.APPROVAL_ASKED, token, to=people)
    return Reminded([one.email for one in people], work.effects)
