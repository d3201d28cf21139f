"""What a move of a token's life declares; portal.life.moves lists them all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.models import Action, NoticeKind, State, Token


class WrongStateError(Exception):
    """The token is no longer (or not yet) in a state in which this can be done.

    ``done`` says what can't be done, as in "This token can't be revoked any more".
    """

    def __init__(self, token: Token, done: str) -> None:
        super().__init__(f"a token that is {token.state} can't be {done}")
        self.token = token
        self.done = done


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One step of a token's life.

    ``leads_to`` is None where the row stays in its state. ``sets`` are columns with the same value
    each time; ``writes`` are columns that whoever makes the move must give, ``may_write`` those
    that they may. ``event`` tells of the move; a move without one is told of by the one before it.
    ``tells`` names fields of the event that are copied from columns of the row. ``ends`` marks
    moves after which the row says who ended it and why, ``enqueues`` those whose row a worker is to
    take at once. ``notice`` is the mail that tells of it: to those who may approve where it asks
    for that, to the owner otherwise. ``withdrawn`` is made instead where the request was withdrawn
    while AWS was being called.
    """

    name: str
    starts: tuple[State, ...]
    leads_to: State | None
    sets: Mapping[str, Any] = field(default_factory=dict)
    writes: tuple[str, ...] = ()
    may_write: tuple[str, ...] = ()
    event: Action | None = None
    tells: Mapping[str, str] = field(default_factory=dict)
    ends: bool = False
    enqueues: bool = False
    notice: NoticeKind | None = None
    withdrawn: "Move | None" = None
    done: str = ""
    """What can't be done any more, in a sentence to somebody who came too late."""

    def require(self, token: Token, done: str = "") -> None:
        """Raise WrongStateError where the move does not start from the row's state."""
        if token.state not in self.starts:
            raise WrongStateError(token, done or self.done or self.name)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that whoever makes the move may give."""
        return frozenset((*self.writes, *self.may_write))
