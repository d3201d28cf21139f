"""Who is told that a token is to end with notice, and who can keep it."""

from portal.models import Token, TokenPlace, User
from portal.policy.leads import responsible_for
from portal.policy.rights import may_revoke, may_see


def users_of(token: Token) -> list[User]:
    """Who may need it: its owner, who took its key, and who wrote down where that lies; as far as
    they may sign in and see it."""
    wrote = TokenPlace.objects.filter(token=token).order_by()
    also = User.objects.filter(pk__in=wrote.values("by"))
    people = {one.pk: one for one in (token.owner, token.recipient, *also) if one is not None}
    return [one for one in people.values() if one.is_active and may_see(one, token)]


def told_of_notice(token: Token, by: User | None) -> list[User]:
    """Who is mailed: those who may need it; where nobody else does, the leads, or the admins."""
    others = [one for one in users_of(token) if one != by]
    return others or [one for one in responsible_for(token.team) if one != by]


def may_keep(user: User, token: Token) -> bool:
    """Whether ``user`` may keep a token that is to end: who may end it, and who is told."""
    return may_revoke(user, token) or (user.is_active and user in users_of(token))
