"""Somebody has left a team: all of their tokens go to another owner, with new keys if wanted."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from portal import policy
from portal.audit import Actor
from portal.flows.hand_over import HandOverRefusedError, hand_over
from portal.flows.renew import renew
from portal.flows.request import RequestRefusedError
from portal.life import Effects, WrongStateError
from portal.models import Token


@dataclass(slots=True)
class Settled:
    """What became of somebody's tokens; ``refused`` are names with why not, for people."""

    handed_over: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)


def settle(
    token_ids: Iterable[uuid.UUID], *, to: str, replace: bool, actor: Actor, reason: str
) -> Settled:
    """Hand each of these live tokens to the person with the address ``to``; each by itself.

    With ``replace`` the owner collects a new key of it, because who left still knows the old one: a
    token that is not the leaver's any more is replaced alone. Raises PermissionDenied.
    """
    settled = Settled()
    for token_id in token_ids:
        _settle(settled, token_id, to, replace, actor, reason)
    return settled


def _settle(
    settled: Settled, token_id: uuid.UUID, to: str, replace: bool, actor: Actor, reason: str
) -> None:
    token = Token.objects.for_page(token_id)
    try:
        if not policy.belongs(token.owner, token.team):
            settled.effects += hand_over(token_id, to=to, actor=actor, reason=reason).effects
            settled.handed_over.append(token.name)
        if replace:
            settled.effects += renew(token_id, actor=actor, reason=reason).effects
            settled.replaced.append(token.name)
    except (HandOverRefusedError, RequestRefusedError) as refusal:
        settled.refused.append((token.name, str(refusal)))
    except WrongStateError as late:
        settled.refused.append((token.name, f"It can't be {late.done} any more."))
