"""A person ends tokens, or requests that have no token yet; a worker carries it out at AWS."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models.functions import Now

from portal import life, policy
from portal.audit import SYSTEM, Actor
from portal.gateway import Gateway, NotYetError
from portal.grafana.errors import GrafanaError
from portal.life import Effects, Work, moves
from portal.life.move import Move
from portal.models import State, Team, Token
from portal.models.states import LEASE

BATCH_SIZE = 100
"""Rows that one transaction ends; others wait for the log's head for 0.3 s at most (measured)."""
LONGEST_PAUSE = 300.0
"""Seconds between two tries to delete a token at AWS."""


@dataclass(slots=True)
class EndedMany:
    """What became of many tokens; ``events`` are the sequence numbers that tell of it."""

    revoked: list[Token] = field(default_factory=list)
    withdrawn: list[Token] = field(default_factory=list)
    too_late: list[Token] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)


def revoke(token_id: uuid.UUID, *, actor: Actor, reason: str = "") -> Effects:
    """Ask for a token's end: it is deleted at AWS by the next worker, and retried until it is so.

    An undelivered key is wiped at once. Raises PermissionDenied or life.WrongStateError.
    """
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_revoke, actor.user, token)
        work.move(token, _how(token), reason=reason)
    return work.effects


def cancel(token_id: uuid.UUID, *, actor: Actor, reason: str = "") -> Effects:
    """Withdraw a request whose key nobody has yet.

    While AWS is being called only a flag can be set: the worker revokes what it gets. Raises
    PermissionDenied or life.WrongStateError.
    """
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_revoke, actor.user, token)
        if not policy.is_cancellable(token):
            raise life.WrongStateError(token, moves.CANCEL.done)
        _withdraw(work, token, reason)
    return work.effects


def revoke_many(
    token_ids: Iterable[uuid.UUID], *, team: Team, actor: Actor, reason: str
) -> EndedMany:
    """End what is still open of these tokens of one team: revoke tokens, withdraw requests.

    What has ended meanwhile is left alone and told. Many rows go in several transactions: none
    keeps others from the audit log for long, and what a crash leaves undone still shows as live.
    Raises PermissionDenied, or Token.DoesNotExist when one is not the team's; then none is ended.
    """
    wanted = sorted(set(token_ids))
    policy.require(policy.may_manage, actor.user, team)
    if Token.objects.filter(team=team, pk__in=wanted).count() != len(wanted):
        raise Token.DoesNotExist
    ended = EndedMany()
    for start in range(0, len(wanted), BATCH_SIZE):
        some = Token.objects.filter(pk__in=wanted[start : start + BATCH_SIZE])
        with life.work(actor) as work:
            for token in work.lock_each(some):
                if policy.is_revocable(token):
                    work.move(token, _how(token), reason=reason)
                    ended.revoked.append(token)
                elif policy.is_cancellable(token):
                    _withdraw(work, token, reason)
                    ended.withdrawn.append(token)
                else:
                    ended.too_late.append(token)
        ended.events += [event.seq for event in work.events]
        ended.effects += work.effects
    return ended


def _how(token: Token) -> Move:
    return moves.REVOKE_ENDED if policy.outlives_its_end(token) else moves.BEGIN_REVOCATION


def _withdraw(work: Work, token: Token, reason: str) -> None:
    is_issuing = token.state == State.ISSUING
    work.move(token, moves.WITHDRAW if is_issuing else moves.CANCEL, reason=reason)


def delete_at_aws(token_id: uuid.UUID) -> Effects:
    """Carry a revocation out: delete the token at AWS.

    Deleting is idempotent: a token that AWS does not know is a deleted one. When AWS can't be
    reached or refuses, the row stays ``revoking`` and is tried again later.
    """
    row = Token.objects.filter(pk=token_id, state=State.REVOKING)
    # not_before doubles as the lease: two workers with the same message delete once.
    if not row.due().update(not_before=Now() + LEASE):
        return Effects()
    token = Token.objects.for_page(token_id)
    error: GrafanaError | None = None
    try:
        request_id = Gateway(token.workspace.connection).delete_token(
            token.workspace.aws_id, token.service_account.aws_id, token.aws_token_id
        )
    except NotYetError as later:
        row.update(not_before=Now() + timedelta(seconds=later.seconds), rung_at=None)
        return Effects()
    except GrafanaError as trouble:
        error, request_id = trouble, trouble.request_id
    with life.work(SYSTEM) as work:
        token = work.lock(token_id)
        if token.state != State.REVOKING:
            return Effects()
        if error is None:
            work.move(
                token,
                moves.REVOKED,
                aws_request_id=request_id,
                may_exist_at_aws=token.unresolved_since is not None,
            )
        else:
            _try_again_later(token, error)
            work.effects.changed.append(token_id)
    return work.effects


def _try_again_later(token: Token, error: GrafanaError) -> None:
    """Waiting as long as it has taken so far doubles the wait each time."""
    so_far = (Token.objects.database_now() - token.state_at).total_seconds()
    wait = max(error.retry_after or 0.0, min(LONGEST_PAUSE, max(2.0, so_far)))
    token.change(
        not_before=Now() + timedelta(seconds=wait),
        rung_at=None,
        error_code=error.code[:80],
        error_message=error.message[:500],
    )
