"""Somebody writes down what uses a token: that is kept when it is renewed."""

import uuid

from portal import life, policy
from portal.audit import Actor
from portal.life import Effects


def describe(token_id: uuid.UUID, uses: str, *, actor: Actor) -> Effects:
    """Change what the token's record says of its use. Raises PermissionDenied."""
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_describe, actor.user, token)
        if token.reason != uses:
            token.change(reason=uses)
            work.record_change(token, "what uses it", reason=uses)
    return work.effects
