"""Somebody writes down where the key of a token lies, or that it lies there no more."""

import uuid

from portal import life, policy
from portal.audit import Actor
from portal.life import Effects
from portal.models import TokenPlace
from portal.text import isolated

MOST_PLACES = 20
"""Of one token."""


class PlaceRefusedError(Exception):
    """This place can't be written down; says why, for people."""


def note_place(token_id: uuid.UUID, text: str, *, actor: Actor) -> Effects:
    """Write down that the key lies there. A place that is due (see TokenPlace) has it by now.

    The same place twice is one. Raises PermissionDenied or PlaceRefusedError.
    """
    with life.work(actor) as work:
        token = work.lock(token_id)
        person = policy.require(policy.may_describe, actor.user, token)
        known = TokenPlace.objects.filter(token=token)
        same = known.filter(text=text)
        if same.filter(is_due=False).exists():
            return work.effects
        if same.exists():
            same.update(is_due=False)
            work.record_change(token, f"has been replaced at {isolated(text)}")
        elif known.count() >= MOST_PLACES:
            raise PlaceRefusedError(
                f"A token has at most {MOST_PLACES} places written down: remove one first."
            )
        else:
            TokenPlace.objects.create(token=token, team=token.team, text=text, by=person)
            work.record_change(token, f"lives at {isolated(text)}")
    return work.effects


def forget_place(token_id: uuid.UUID, text: str, *, actor: Actor) -> Effects:
    """Remove a place; one that is not written down is gone already. Raises PermissionDenied."""
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_describe, actor.user, token)
        if TokenPlace.objects.filter(token=token, text=text).delete()[0]:
            work.record_change(token, f"lives no more at {isolated(text)}")
    return work.effects
