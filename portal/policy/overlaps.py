"""How long an old token may work on beside the one that takes its place: the team's maximum."""

from portal.amg import LONGEST_LIFETIME
from portal.models import Token, User
from portal.policy.grants import limits_for


def longest_overlap(token: Token, user: User) -> int:
    """The longest overlap, in seconds, with which ``user`` may have the token replaced: its team's.

    Whether the new one is for them or for its owner, the same grant governs it. Where neither may
    have it, whatever is asked for is refused for that, and not for its length.
    """
    found = (limits_for(one, token.team, token.service_account) for one in (token.owner, user))
    return next((limits.max_overlap for limits in found if limits), LONGEST_LIFETIME)


def overlap_of(token: Token) -> int | None:
    """Seconds for which the one that it replaces works on; None where that ends at once.

    Policy is asked again when the overlap begins, as it is for the lifetime: it is what was asked
    for, or today's maximum, whichever is less.
    """
    asked: int | None = token.overlap_seconds
    if asked is None:
        return None
    limits = limits_for(token.owner, token.team, token.service_account)
    return min(asked, limits.max_overlap) if limits else asked


def longest_hold(token: Token, overlap: int) -> int | None:
    """Seconds for which the one that it replaces may be held until it is quiet, at most: its
    team's longest overlap, or ``overlap`` where that is longer; None where it is not held."""
    if token.quiet_seconds is None:
        return None
    limits = limits_for(token.owner, token.team, token.service_account)
    return max(overlap, limits.max_overlap if limits else 0)
