"""Somebody ends a token with notice, since AWS can't undo it: whoever uses it can keep it.

What has leaked is revoked at once instead (portal.flows.revoke).
"""

import uuid
from datetime import timedelta

from portal import life, policy
from portal.audit import Actor
from portal.life import Effects, Work, WrongStateError, moves
from portal.models import Action, Token, User
from portal.text import isolated

SHORTEST, LONGEST = 300, 7 * 86_400
"""Seconds: time to read a mail, and what an overlap has by default."""


class NoticeRefusedError(Exception):
    """No such notice can be given; says why, for people."""


def give_notice(token_id: uuid.UUID, seconds: int, *, actor: Actor, reason: str = "") -> Effects:
    """Have the token end in so many seconds, and mail those who may need it.

    Raises PermissionDenied, life.WrongStateError (a second notice included) or NoticeRefusedError.
    """
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_revoke, actor.user, token)
        if token.is_under_notice:
            raise WrongStateError(token, "given notice of")
        _give(work, token, seconds, reason)
    return work.effects


def _give(work: Work, token: Token, seconds: int, reason: str) -> None:
    moves.GIVE_NOTICE.require(token)
    ends = Token.objects.database_now() + timedelta(seconds=seconds)
    if token.ends_at is not None and ends >= token.ends_at:
        raise NoticeRefusedError(
            f"It ends by itself before that, on {token.ends_at:%Y-%m-%d} at "
            f"{token.ends_at:%H:%M} UTC: give less notice."
        )
    work.move(
        token,
        moves.GIVE_NOTICE,
        reason=reason,
        to=policy.told_of_notice(token, work.actor.user),
        revoke_at=ends,
        notice_ends_at=ends,
        overlap_ends_at=token.revoke_at,
    )
    _record(work, token, f"ends on {ends:%Y-%m-%d at %H:%M} UTC unless somebody keeps it", reason)


def keep(token_id: uuid.UUID, *, actor: Actor, reason: str = "") -> Effects:
    """Have the token live on, and mail whoever wanted its end and its owner.

    An overlap that has begun goes on. Raises PermissionDenied or life.WrongStateError.
    """
    with life.work(actor) as work:
        token = work.lock(token_id)
        policy.require(policy.may_keep, actor.user, token)
        if not token.is_under_notice:
            raise WrongStateError(token, moves.KEEP.done)
        # An older version of the portal may have written down an overlap meanwhile.
        is_by_notice = token.revoke_at == token.notice_ends_at
        gave = User.objects.by_address(token.ended_by)
        told = [one for one in (gave, token.owner) if one is not None and one != actor.user]
        work.move(
            token,
            moves.KEEP,
            reason=reason,
            to=told,
            revoke_at=token.overlap_ends_at if is_by_notice else token.revoke_at,
        )
        _record(work, token, "kept, its end with notice is off", reason)
    return work.effects


def _record(work: Work, token: Token, what: str, reason: str) -> None:
    subject = f"~ token {isolated(token.name)}: {what}"
    work.record(Action.ACCESS_CHANGED, token=token, subject=subject, reason=reason)
