"""A new token in the place of one, for its owner to collect on its own page: several at once, or
because it got another owner and others know its key."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from portal import policy
from portal.audit import Actor
from portal.flows.reissue import ReissueTerms, reissue
from portal.flows.request import Requested, RequestRefusedError
from portal.life import Effects, WrongStateError
from portal.limits import LimitExceededError
from portal.models import Token

OVERLAP = 7 * 86_400
"""Seconds for which an old key works on at most once its owner has taken the new one."""
NO_GRANT = "The team has no grant for its service account any more."


@dataclass(slots=True)
class Renewed:
    """What became of each of several; ``refused`` are names with why not, for people."""

    requests: list[Token] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)


def renew(token_id: uuid.UUID, *, actor: Actor, reason: str) -> Requested:
    """Ask for a token in its place, for its owner to collect; the old key works on for a while.

    Raises PermissionDenied, life.WrongStateError, LimitExceededError or RequestRefusedError.
    """
    token = Token.objects.for_page(token_id)
    limits = policy.limits_for(token.owner, token.team, token.service_account)
    if limits is None:
        raise RequestRefusedError("recipient", NO_GRANT)
    overlap = min(OVERLAP, limits.max_overlap)
    lifetime = min(token.seconds_to_live, limits.max_ttl)
    terms = ReissueTerms(overlap, False, lifetime, reason, b"")
    return reissue(token_id, terms, actor=actor)


def renew_each(tokens: Iterable[Token], *, actor: Actor, reason: str) -> Renewed:
    """Each by itself: what stands against one does not stop the others. Raises PermissionDenied."""
    renewed = Renewed()
    for token in tokens:
        try:
            requested = renew(token.pk, actor=actor, reason=reason)
        except (RequestRefusedError, LimitExceededError) as refusal:
            renewed.refused.append((token.name, str(refusal)))
        except WrongStateError as late:
            renewed.refused.append((token.name, f"It can't be {late.done} any more."))
        else:
            renewed.requests.append(requested.token)
            renewed.effects += requested.effects
    return renewed
