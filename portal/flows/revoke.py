"""A person ends tokens, or requests that have no token yet; a worker carries it out at AWS."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from portal import audit, notify, policy
from portal.audit import SYSTEM, Actor
from portal.gateway import Gateway, NotYetError
from portal.grafana.errors import GrafanaError, ResourceNotFoundException
from portal.models import Action, NoticeKind, State, Team, Token
from portal.models.states import LEASE

AT_A_TIME = 100
"""Rows that one transaction ends; others wait for the log's head for 0.3 s at most (measured)."""


@dataclass(slots=True)
class EndedMany:
    """What became of many tokens; ``events`` are the sequence numbers that tell of it."""

    revoked: list[Token] = field(default_factory=list)
    withdrawn: list[Token] = field(default_factory=list)
    too_late: list[Token] = field(default_factory=list)
    events: list[int] = field(default_factory=list)


def revoke(token_id: uuid.UUID, *, actor: Actor, reason: str = "") -> None:
    """Ask for a token's end: it is deleted at AWS by the next worker, and retried until it is so.

    An undelivered key is wiped at once. Raises policy.NotPermittedError or policy.WrongStateError.
    """
    with transaction.atomic():
        token = _permitted(token_id, actor)
        if not policy.is_revocable(token):
            raise policy.WrongStateError(token)
        stop(token, actor, reason)
        audit.record(Action.TOKEN_REVOKE_REQUESTED, actor=actor, token=token, reason=reason)


def cancel(token_id: uuid.UUID, *, actor: Actor, reason: str = "") -> None:
    """Withdraw a request whose key nobody has yet.

    While AWS is being called only a flag can be set: the worker revokes what it gets. Raises
    policy.NotPermittedError or policy.WrongStateError.
    """
    with transaction.atomic():
        token = _permitted(token_id, actor)
        if not policy.is_cancellable(token):
            raise policy.WrongStateError(token)
        _withdraw(token, actor, reason)
        audit.record(Action.TOKEN_CANCELLED, actor=actor, token=token, reason=reason)


def revoke_many(
    token_ids: Iterable[uuid.UUID], *, team: Team, actor: Actor, reason: str
) -> EndedMany:
    """End what is still open of these tokens of one team: revoke tokens, withdraw requests.

    What has ended meanwhile is left alone and told. Many rows go in several transactions: none
    keeps others from the audit log for long, and what a crash leaves undone still shows as live.
    Raises NotPermittedError, or Token.DoesNotExist when one is not the team's; then none is ended.
    """
    wanted = sorted(set(token_ids))
    if actor.user is None or not policy.may_manage(actor.user, team):
        raise policy.NotPermittedError
    if Token.objects.filter(team=team, pk__in=wanted).count() != len(wanted):
        raise Token.DoesNotExist
    ended = EndedMany()
    for start in range(0, len(wanted), AT_A_TIME):
        with transaction.atomic():
            _end_some(wanted[start : start + AT_A_TIME], ended, actor, reason)
    return ended


def _end_some(token_ids: list[uuid.UUID], ended: EndedMany, actor: Actor, reason: str) -> None:
    # The audit log's head is locked after all of them.
    done: list[tuple[Action, Token]] = []
    for token in Token.objects.filter(pk__in=token_ids).lock_each():
        if policy.is_revocable(token):
            stop(token, actor, reason)
            ended.revoked.append(token)
            done.append((Action.TOKEN_REVOKE_REQUESTED, token))
        elif policy.is_cancellable(token):
            _withdraw(token, actor, reason)
            ended.withdrawn.append(token)
            done.append((Action.TOKEN_CANCELLED, token))
        else:
            ended.too_late.append(token)
    for action, token in done:
        event = audit.record(action, actor=actor, token=token, reason=reason)
        ended.events.append(event.seq)


def stop(token: Token, actor: Actor, reason: str, *, tells_owner: bool = True) -> None:
    """Move a locked, revocable row to its end, and tell its owner if it was not they who did it.

    The event, ``token.revoke_requested``, is the caller's: after all rows that it moves.
    """
    token.move_to(
        State.REVOKING,
        sealed_key=None,
        not_before=None,
        rung_at=None,
        ended_by=actor.label,
        end_reason=reason,
    )
    if tells_owner and actor.user != token.owner:
        notify.tell(
            NoticeKind.REVOKED, token=token, to=[token.owner], by=actor.label, reason=reason
        )


def _withdraw(token: Token, actor: Actor, reason: str) -> None:
    if token.state == State.ISSUING:
        token.change(cancel_requested=True, ended_by=actor.label, end_reason=reason)
    else:
        token.move_to(State.CANCELLED, not_before=None, ended_by=actor.label, end_reason=reason)
    if actor.user != token.owner:
        why = f"{actor.label} withdrew it" + (f": {reason}" if reason else ".")
        notify.tell(NoticeKind.LAPSED, token=token, to=[token.owner], by=actor.label, reason=why)


def _permitted(token_id: uuid.UUID, actor: Actor) -> Token:
    token = Token.objects.lock(token_id)
    if actor.user is None or not policy.may_revoke(actor.user, token):
        raise policy.NotPermittedError
    return token


def delete_at_aws(token_id: uuid.UUID) -> bool:
    """Carry a revocation out: delete the token at AWS; returns whether the row changed.

    Deleting is idempotent: a token that AWS does not know is a deleted one. When AWS can't be
    reached or refuses, the row stays ``revoking`` and is tried again later.
    """
    now = Now()
    row = Token.objects.filter(pk=token_id, state=State.REVOKING)
    # not_before doubles as the lease: two workers with the same message delete once.
    if not row.due().update(not_before=now + LEASE):
        return False
    token = Token.objects.for_page(token_id)
    error: GrafanaError | None = None
    try:
        request_id = Gateway(token.workspace.connection).delete_token(
            token.workspace.aws_id, token.service_account.aws_id, token.aws_token_id
        )
    except ResourceNotFoundException as gone:
        request_id = gone.request_id
    except NotYetError as later:
        row.update(not_before=Now() + timedelta(seconds=later.seconds), rung_at=None)
        return False
    except GrafanaError as trouble:
        error, request_id = trouble, trouble.request_id
    with transaction.atomic():
        token = Token.objects.lock(token_id)
        if token.state != State.REVOKING:
            return False
        if error is not None:
            # Waiting as long as it has taken so far doubles the wait each time.
            so_far = (Token.objects.database_now() - token.state_at).total_seconds()
            wait = max(error.retry_after or 0.0, min(300.0, max(2.0, so_far)))
            token.change(
                not_before=Now() + timedelta(seconds=wait),
                rung_at=None,
                error_code=error.code[:80],
                error_message=error.message[:500],
            )
            return True
        token.move_to(
            State.REVOKED,
            not_before=None,
            deleted_at=Now(),
            error_code="",
            error_message="",
            may_exist_at_aws=token.unresolved_since is not None,
        )
        audit.record(
            Action.TOKEN_REVOKED,
            actor=SYSTEM,
            token=token,
            aws_request_id=request_id,
            reason=token.end_reason,
        )
    return True
