"""In which order the audit log may tell of a token, and the state in which it leaves the row."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

from portal.life import moves
from portal.life.moves import MOVES
from portal.models import Action, AuditEvent, State, Token

WITHDRAWN_AND_ISSUED = "token.issued, though withdrawn"
"""The request was withdrawn while AWS was being called: nobody may have the key that came."""

ISSUING = (State.ISSUING, False)
WITHDRAWN = (State.ISSUING, True)
"""Where a row may be: its state, and whether its request was withdrawn while AWS was called."""

_INSTEAD = [move.withdrawn for move in MOVES if move.withdrawn is not None]


def _edges() -> Iterator[tuple[tuple[State, bool] | None, str, tuple[State, bool]]]:
    """Every move as from where it leads whereto, by which event; "" for a move without one."""
    for move in MOVES:
        event = WITHDRAWN_AND_ISSUED if move is moves.SEAL_WITHDRAWN else str(move.event or "")
        for start in move.starts or (None,):
            state = move.leads_to or start
            assert state is not None, "a new row has a state"
            to = (state, move is moves.WITHDRAW)
            place = None if start is None else (start, move in _INSTEAD)
            yield place, event, to


def _reached(places: set[tuple[State, bool]]) -> set[tuple[State, bool]]:
    """The places, and where moves without an event lead from them."""
    while more := {to for place, event, to in _edges() if place in places and not event} - places:
        places = places | more
    return places


def _after(event: str) -> set[tuple[State, bool]]:
    return _reached({to for _, told, to in _edges() if told == event})


EVENTS = {event for _, event, _ in _edges() if event}
LEAVES = {event: {state for state, _ in _after(event)} for event in EVENTS}
"""The states in which an event may leave the row, by the moves that the life declares."""
FOLLOWS = {
    event: {told for place, told, _ in _edges() if told and place in _after(event)}
    for event in EVENTS
}
"""The events that may come after one."""
FOLLOWS[Action.TOKEN_PRUNED] = set()  # its row stays as it was, and is pruned once


BESIDE = (Action.TOKEN_ORPHAN_REMOVED, Action.TOKEN_REISSUED, Action.ACCESS_CHANGED)
"""What moves the row nowhere: these may come in between. The last is of offers and notices."""
REPLACEABLE_AFTER = (
    Action.TOKEN_DELIVERED,
    Action.TOKEN_REVOKE_REQUESTED,  # of the same reissue: replaced at once
    Action.TOKEN_REISSUED,
    Action.TOKEN_ORPHAN_REMOVED,
)


def actions(token: Token) -> list[str]:
    """What the audit log tells of a token, in order."""
    told = AuditEvent.objects.filter(token_id=token.pk).order_by("seq")
    return list(told.values_list("action", flat=True))


def since_the_request(token: Token) -> list[str]:
    """What the audit log tells of a token after its request, in order."""
    return actions(token)[1:]


def fault_in(actions: Sequence[str], state: str) -> str:
    """What is wrong with a token's events, in their order, beside its row's state; "" if nothing.

    What an attempt of unknown outcome has left may be removed at any time after the request.
    """
    if actions[:1] not in ([Action.TOKEN_REQUESTED], [Action.TOKEN_ADOPTED]):
        return f"the story begins with neither a request nor an adoption: {actions}"
    for before, after in itertools.pairwise(actions):
        if after == Action.TOKEN_REISSUED and before not in REPLACEABLE_AFTER:
            return f"what has no live token was replaced: {actions}"
    story = list(_story(actions))
    for before, after in itertools.pairwise(story):
        if after not in FOLLOWS[before]:
            return f"{after} can't follow {before}: {actions}"
    return "" if state in LEAVES[story[-1]] else f"{actions} does not leave it {state}"


def _story(actions: Iterable[str]) -> Iterable[str]:
    withdrawn = False
    for action in actions:
        withdrawn = withdrawn or action == Action.TOKEN_CANCELLED
        if action == Action.TOKEN_ISSUED and withdrawn:
            yield WITHDRAWN_AND_ISSUED
        elif action not in BESIDE:
            yield action
