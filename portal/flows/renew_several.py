"""Somebody renews several of their tokens: a request of its own for each, whose key is collected on
its own page."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from portal.audit import Actor
from portal.flows.renew import renew
from portal.flows.request import RequestRefusedError
from portal.life import Effects, WrongStateError
from portal.limits import LimitExceededError
from portal.models import Token


@dataclass(slots=True)
class Renewed:
    """What became of each; ``refused`` are names with why not, for people."""

    requests: list[Token] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)


def renew_several(tokens: Iterable[Token], *, actor: Actor, reason: str) -> Renewed:
    """Each by itself: what stands against one does not stop the others. Raises PermissionDenied."""
    renewed = Renewed()
    for token in tokens:
        _renew(renewed, token.pk, token.name, actor, reason)
    return renewed


def _renew(renewed: Renewed, token_id: uuid.UUID, name: str, actor: Actor, reason: str) -> None:
    try:
        requested = renew(token_id, actor=actor, reason=reason)
    except (RequestRefusedError, LimitExceededError) as refusal:
        renewed.refused.append((name, str(refusal)))
    except WrongStateError as late:
        renewed.refused.append((name, f"It can't be {late.done} any more."))
    else:
        renewed.requests.append(requested.token)
        renewed.effects += requested.effects
