"""A token that somebody made outside the portal gets a row: somebody answers for it from then on.

Its key stays where it is: nobody here has ever seen it, and no fingerprint is known.
"""

from portal.amg import LONGEST_LIFETIME
from portal.life import moves
from portal.life.work import Work
from portal.models import ListedToken, Team, Token, User

NAME_IS_HERE = "a row of this name is there: end one of the two"


def why_not(entry: ListedToken) -> str:
    """What stands against it; empty when nothing does."""
    if entry.expires_at is None or entry.created_at is None:
        return "AWS does not say when it was made and when it ends"
    if entry.expires_at <= Token.objects.database_now():
        return "it has expired: end it"
    return ""


def adopt(work: Work, entry: ListedToken, *, team: Team, owner: User, reason: str) -> Token:
    """Insert its row, for an owner in a team. Raises IntegrityError where its name has a row."""
    account = entry.service_account
    if entry.expires_at is None or entry.created_at is None:
        raise ValueError("what why_not() refuses is not adopted")
    lifetime = int((entry.expires_at - entry.created_at).total_seconds())
    token = Token(
        owner=owner,
        team=team,
        workspace=account.workspace,
        service_account=account,
        name=entry.name[:128],
        seconds_to_live=max(1, min(lifetime, LONGEST_LIFETIME)),
        aws_token_id=entry.aws_id,
        issued_at=entry.created_at,
        expires_at=entry.expires_at,
        last_used_at=entry.last_used_at,
        may_exist_at_aws=True,
    )
    work.create(token, moves.ADOPT, reason=reason)
    ListedToken.objects.filter(pk=entry.pk).update(drift="", found_at=None)
    return token
