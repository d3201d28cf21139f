"""One attempt to issue a token: how it is claimed, and how its outcome is written.

An outcome is written only while the attempt still holds the row. What an attempt knows about AWS is
written with it: an earlier unknown outcome stays unknown.
"""

import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now

from portal import clock, life, pace
from portal.audit import SYSTEM
from portal.grafana.errors import GrafanaError
from portal.life import Effects, moves
from portal.life.move import Move
from portal.life.waits import Wait, waits_for
from portal.models import State, Token

TIME_TO_START_A_CALL = 12.0
"""Seconds after the claim until which a call to AWS may begin: it takes at most 10 s more, and the
task is ended at 30 s."""
TIME_TO_STORE = 15.0
"""Seconds for which storing an outcome is tried again while the database can't be reached."""


@dataclass(slots=True)
class Attempt:
    """One claimed attempt. ``token`` is the row as it stood before the claim, one attempt later."""

    token: Token
    was_unresolved: bool
    started: float = field(default_factory=lambda: time.monotonic())

    @property
    def last_call_at(self) -> float:
        """When the last call to AWS may begin, by ``time.monotonic``."""
        return self.started + TIME_TO_START_A_CALL

    def holds(self, row: Token) -> bool:
        """Whether the locked row is still this attempt's."""
        return row.state == State.ISSUING and row.attempt == self.token.attempt

    def knowledge(self, *, exists: bool) -> dict[str, Any]:
        """What a known outcome says about AWS, as columns."""
        if self.was_unresolved:
            return {}
        return {"may_exist_at_aws": exists, "unresolved_since": None, "last_signature_at": None}


def claim(token_id: uuid.UUID) -> Attempt | None:
    """The claimed row; None when there is nothing to claim."""
    try:
        token = Token.objects.for_page(token_id)
    except Token.DoesNotExist:
        return None
    # What waits for people changes meanwhile; what is queued stays as it was read until a claim.
    if token.state != State.QUEUED or not life.claim(token_id, token.attempt + 1):
        return None
    token.attempt += 1
    return Attempt(token, was_unresolved=token.unresolved_since is not None)


def requeue(
    attempt: Attempt,
    error: GrafanaError | None = None,
    *,
    is_known: bool = True,
    seconds: float = 0.0,
    **columns: int,
) -> Effects:
    """Back to the queue, to be tried again by whoever comes first after ``seconds`` or more."""
    wait = pace.backoff(attempt.token.attempt, least=error.retry_after or 0.0) if error else 0.0
    return finish(
        attempt,
        moves.REQUEUE,
        not_before=Now() + timedelta(seconds=max(seconds, wait)),
        error_code=error.code[:80] if error else "",
        error_message=error.message[:500] if error else "",
        aws_request_id=error.request_id[:100] if error else "",
        **columns,
        **(attempt.knowledge(exists=False) if is_known else {}),
    )


def wait_for(
    attempt: Attempt,
    wait: Wait,
    code: str,
    message: str = "",
    error: GrafanaError | None = None,
    **columns: int,
) -> Effects:
    """Back to the queue until what it waits for is over; it fails when that takes too long."""
    token = attempt.token
    now = Token.objects.database_now()
    began = (waits_for(token.error_code) == wait and token.waits_since) or now
    if now - began > wait.longest and not clock.is_off():
        return fail(attempt, code, message, error)
    asked = (error and error.retry_after) or 0.0
    seconds = max(asked, min(pace.backoff(token.attempt), wait.most_between))
    return finish(
        attempt,
        moves.REQUEUE,
        not_before=Now() + timedelta(seconds=seconds),
        waits_since=began,
        error_code=code[:80],
        error_message=message[:500],
        aws_request_id=error.request_id[:100] if error else "",
        **columns,
        **attempt.knowledge(exists=False),
    )


def fail(
    attempt: Attempt,
    code: str,
    message: str = "",
    error: GrafanaError | None = None,
    *,
    is_known: bool = True,
) -> Effects:
    return finish(
        attempt,
        moves.FAIL,
        error_code=code[:80],
        error_message=message[:500],
        aws_request_id=error.request_id[:100] if error else "",
        **(attempt.knowledge(exists=False) if is_known else {}),
    )


def finish(attempt: Attempt, move: Move, **columns: Any) -> Effects:
    """Write an outcome if the attempt is still held."""
    return finish_if_held(attempt, move, **columns) or Effects()


def finish_if_held(
    attempt: Attempt, move: Move, *, aws_token_id: str = "", **columns: Any
) -> Effects | None:
    """Write an outcome; None when the attempt was lost.

    When the commit's own outcome is unknown, the row is read again: nothing is done twice, and
    whoever waits for it hears of it.
    """
    if aws_token_id:
        columns["aws_token_id"] = aws_token_id
    deadline = time.monotonic() + TIME_TO_STORE
    may_be_stored = False
    while True:
        try:
            with life.work(SYSTEM) as work:
                row = work.lock(attempt.token.pk)
                if attempt.holds(row):
                    work.move(row, move, **columns)
                elif may_be_stored and row.aws_token_id == aws_token_id:
                    work.effects.changed.append(row.pk)
                else:
                    return None
            return work.effects
        except (OperationalError, InterfaceError):
            may_be_stored = True
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
