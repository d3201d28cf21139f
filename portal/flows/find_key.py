"""Somebody has come across a key of a token that they may not see: those whose it is are told."""

import uuid
from datetime import timedelta

from django.db.models.functions import Now

from portal import life, policy
from portal.audit import Actor
from portal.life import Effects
from portal.models import Action, Notice, NoticeKind
from portal.text import isolated

PAUSE = timedelta(hours=1)
"""For which the same finder is not told of again."""


def tell_of_found_key(token_id: uuid.UUID, *, actor: Actor) -> Effects:
    """Mail the owner, whoever took the key, the team's leads and the admins; record it."""
    with life.work(actor) as work:
        token = work.lock(token_id)
        told = Notice.objects.filter(token=token, kind=NoticeKind.KEY_FOUND, by=actor.label)
        if told.filter(created_at__gt=Now() - PAUSE).exists():
            return work.effects
        people = [token.owner, *policy.responsible_for(token.team), *policy.admins()]
        work.tell(NoticeKind.KEY_FOUND, token, to=people)
        subject = f"! token {isolated(token.name)}: its key was found by {actor.label}"
        work.record(Action.ACCESS_CHANGED, token=token, subject=subject)
    return work.effects
