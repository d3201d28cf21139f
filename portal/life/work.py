"""One unit of work on tokens' rows: they are locked in their order, moved, and told of last.

    with life.work(actor) as work:
        token = work.lock(token_id)
        ...                                   # ask policy about the row that is locked
        work.move(token, moves.DENY, reason=reason)
        work.tell(NoticeKind.DENIED, token, to=[token.owner], reason=reason)
    return work.effects

The block is one transaction. Its events are written when it ends, because the audit log's head is
locked last of all. AWS is never called inside.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal import audit, notify, policy
from portal.audit import SYSTEM, Actor
from portal.life.effects import Effects
from portal.life.move import Move
from portal.models import Action, AuditEvent, NoticeKind, State, Token, User
from portal.models.queries import BATCH_SIZE, TokenQuerySet
from portal.text import isolated

_EVENT_ALONE = ("reason", "aws_request_id", "subject")
"""Fields of an event that are given with a move and need not stand in a column."""


class Work:
    """See the module. ``actor`` is who does it, ``rings`` whether workers are to hear at once."""

    def __init__(self, actor: Actor, *, rings: bool) -> None:
        self.actor = actor
        self.effects = Effects()
        self.events: list[AuditEvent] = []
        self._rings = rings

    def lock(self, token_id: uuid.UUID) -> Token:
        """The row, locked until the work is done. Raises Token.DoesNotExist."""
        return Token.objects.lock(token_id)

    def lock_with_replaced(self, token_id: uuid.UUID) -> tuple[Token, Token | None]:
        """The row and the one that it replaces, locked alike. Raises Token.DoesNotExist."""
        return Token.objects.lock_with_replaced(token_id)

    def lock_each(self, rows: TokenQuerySet) -> list[Token]:
        """The rows, locked alike, in the order in which everybody locks them."""
        return rows.lock_each()

    def move(
        self,
        token: Token,
        move: Move,
        *,
        by: Actor | None = None,
        reason: str = "",
        to: Iterable[User] | None = None,
        **said: Any,
    ) -> None:
        """Make a move of a locked row: ``said`` are its columns, and its event's other fields.

        ``by`` is who is said to do it, where that is not the actor; ``to`` who is told of it, where
        that is not whom the move names: nobody tells themselves. Raises WrongStateError where the
        move does not start from the row's state, TypeError for what it does not write or tell.
        """
        _check(move, said)
        move.require(token)
        if token.cancel_requested and move.withdrawn is not None:
            move = move.withdrawn
        columns = {name: said[name] for name in move.columns & said.keys()}
        actor = by or self.actor
        if move.ends:
            columns |= {"ended_by": actor.label, "end_reason": reason}
        if move.enqueues:
            columns["rung_at"] = Now() if self._rings else None
        if move.leads_to is not None:
            columns |= {"state": move.leads_to, "state_at": Now()}
        token.change(**{**move.sets, **columns})
        self._note(token, move, actor, reason, said)
        self._tell(token, move, actor, reason, to)

    def create(self, token: Token, move: Move, *, reason: str = "") -> None:
        """Insert a new row in the state in which its life begins. Raises IntegrityError."""
        if move.starts or move.leads_to is None:
            raise TypeError(f"no row begins with {move.name}")
        token.state = move.leads_to
        if move.enqueues:
            token.rung_at = Now()
        token.save(force_insert=True)
        self._note(token, move, self.actor, reason, {})
        self._tell(token, move, self.actor, "", None)

    def tell(
        self, kind: str, token: Token, *, to: Iterable[User], by: str = "", reason: str = ""
    ) -> None:
        """Have people mailed of what is done here; see portal.notify."""
        notify.tell(kind, token=token, to=to, by=by or _label(self.actor), reason=reason)

    def record(self, action: Action, *, by: Actor | None = None, **said: Any) -> None:
        """Have an event written beside those of the moves."""
        self.events.append(audit.compose(action, actor=by or self.actor, **said))

    def record_change(self, token: Token, what: str, *, reason: str = "") -> None:
        """Have an event written of what changed about a token that moves nowhere."""
        subject = f"~ token {isolated(token.name)}: {what}"
        self.record(Action.ACCESS_CHANGED, token=token, subject=subject, reason=reason)

    def _tell(
        self, token: Token, move: Move, actor: Actor, reason: str, to: Iterable[User] | None
    ) -> None:
        if move.notice is None:
            return
        if to is None and move.notice == NoticeKind.APPROVAL_ASKED:
            to, reason = policy.approvers_of(token), ""
        elif to is None:
            to = [token.owner] if actor.user != token.owner else ()
        if move.notice == NoticeKind.LAPSED and actor.user is not None:
            reason = f"{actor.label} withdrew it" + (f": {reason}" if reason else ".")
        self.tell(move.notice, token, to=to, by=_label(actor), reason=reason)

    def _note(
        self, token: Token, move: Move, actor: Actor, reason: str, said: dict[str, Any]
    ) -> None:
        """Keep the move's event until the end, and who is to hear of it."""
        if move.event is not None:
            told = {name: said[name] for name in _EVENT_ALONE if name in said}
            told |= {name: getattr(token, column) for name, column in move.tells.items()}
            if reason:
                told["reason"] = reason
            self.record(move.event, by=actor, token=token, **told)
        self.effects.changed.append(token.pk)
        if move.enqueues and self._rings:
            is_queued = move.leads_to == State.QUEUED
            (self.effects.issue if is_queued else self.effects.revoke).append(token.pk)


def _label(actor: Actor) -> str:
    """Who acts, in a mail."""
    return actor.label if actor.user else "The portal"


def _check(move: Move, said: dict[str, Any]) -> None:
    missing = set(move.writes) - said.keys()
    unknown = said.keys() - move.columns - (set(_EVENT_ALONE) if move.event else set())
    if missing or unknown:
        raise TypeError(
            f"{move.name} lacks {sorted(missing)}, and does not write {sorted(unknown)}"
        )


@contextmanager
def work(actor: Actor, *, rings: bool = True) -> Iterator[Work]:
    """Do something to tokens in one transaction; see the module.

    ``rings`` is False for whoever leaves it to the sweep to have workers take the rows up.
    """
    with transaction.atomic():
        unit = Work(actor, rings=rings)
        yield unit
        audit.append(unit.events)


def work_on_each(rows: TokenQuerySet, condition: Q, act: Callable[[Work, Token], None]) -> Effects:
    """Have ``act`` work on each of the rows that meets ``condition``, one transaction a row.

    As the portal itself. At most BATCH_SIZE rows; those that somebody else holds are left to the
    next time.
    """
    effects = Effects()
    for pk in rows.filter(condition).values_list("pk", flat=True)[:BATCH_SIZE]:
        with work(SYSTEM, rings=False) as unit:
            token = rows.filter(condition).lock_if_free(pk)
            if token is not None:
                act(unit, token)
        effects += unit.effects
    return effects
