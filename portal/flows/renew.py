"""A token got another owner, and others know its key: the new owner collects a new one."""

import uuid

from portal import policy
from portal.audit import Actor
from portal.flows.reissue import ReissueTerms, reissue
from portal.flows.request import Requested, RequestRefusedError
from portal.models import Token

OVERLAP = 7 * 86_400
"""Seconds for which an old key works on at most once its owner has taken the new one."""
NO_GRANT = "The team has no grant for its service account any more."


def renew(token_id: uuid.UUID, *, actor: Actor, reason: str) -> Requested:
    """Ask for a token in its place, for its owner to collect; the old key works on for a while.

    Raises PermissionDenied, life.WrongStateError or RequestRefusedError.
    """
    token = Token.objects.for_page(token_id)
    limits = policy.limits_for(token.owner, token.team, token.service_account)
    if limits is None:
        raise RequestRefusedError("recipient", NO_GRANT)
    overlap = min(OVERLAP, limits.max_overlap)
    lifetime = min(token.seconds_to_live, limits.max_ttl)
    terms = ReissueTerms(overlap, False, lifetime, reason, b"")
    return reissue(token_id, terms, actor=actor)
