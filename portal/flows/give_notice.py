"""Somebody ends a token with notice, since AWS can't undo it: whoever uses it can keep it.

What has leaked is revoked at once instead (portal.flows.revoke).
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from portal import display, life, policy
from portal.audit import Actor
from portal.life import Effects, Work, WrongStateError, moves
from portal.models import Team, Token, User

SHORTEST, LONGEST = 300, 7 * 86_400
"""Seconds: time to read a mail, and what an overlap has by default."""
BATCH_SIZE = 100
"""Rows of one transaction."""


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


@dataclass(slots=True)
class GivenMany:
    """Of which tokens notice was given, and of which not, each with why."""

    given: list[Token] = field(default_factory=list)
    left: list[tuple[Token, str]] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)


def give_notice_of_many(
    token_ids: Iterable[uuid.UUID], seconds: int, *, team: Team, actor: Actor, reason: str
) -> GivenMany:
    """The same of what is active of these tokens of one team; the rest is left alone and told.

    Many rows go in several transactions, as in portal.flows.revoke. Raises PermissionDenied, or
    Token.DoesNotExist when one is not the team's; then none is touched.
    """
    wanted = sorted(set(token_ids))
    policy.require(policy.may_manage, actor.user, team)
    if Token.objects.filter(team=team, pk__in=wanted).count() != len(wanted):
        raise Token.DoesNotExist
    many = GivenMany()
    for start in range(0, len(wanted), BATCH_SIZE):
        some = Token.objects.filter(pk__in=wanted[start : start + BATCH_SIZE])
        with life.work(actor) as work:
            for token in work.lock_each(some):
                why = ""
                if token.state not in moves.GIVE_NOTICE.starts:
                    why = f"it is {token.get_state_display()}"
                elif token.is_under_notice:
                    why = f"{token.ended_by} has given notice"
                else:
                    try:
                        _give(work, token, seconds, reason)
                    except NoticeRefusedError:
                        why = "it ends by itself before that"
                if why:
                    many.left.append((token, why))
                else:
                    many.given.append(token)
        many.effects += work.effects
    return many


def _give(work: Work, token: Token, seconds: int, reason: str) -> None:
    moves.GIVE_NOTICE.require(token)
    ends = Token.objects.database_now() + timedelta(seconds=seconds)
    if token.ends_at is not None and ends >= token.ends_at:
        raise NoticeRefusedError(
            f"It ends by itself before that, at {display.minute(token.ends_at)}: give less notice."
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
    work.record_change(
        token, f"ends on {ends:%Y-%m-%d at %H:%M} UTC unless somebody keeps it", reason=reason
    )


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
        work.record_change(token, "kept, its end with notice is off", reason=reason)
    return work.effects
