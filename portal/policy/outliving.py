"""What has ended here and lives at AWS: it can be revoked until AWS says that it is over.

A clock that is off ended it before its time, or AWS kept what it should have deleted.
"""

from django.utils import timezone

from portal.models import Drift, ListedToken, State, Team, Token
from portal.models.prepared import Prepared

_ENDED = (State.EXPIRED, State.REVOKED)

_listed_alive = Prepared(
    lambda account_id, aws_id: ListedToken.objects.filter(
        service_account=account_id, aws_id=aws_id, drift=Drift.ENDED
    ),
    like=[-1, "an id"],
)


def outlives_its_end(token: Token) -> bool:
    """Whether the token has ended here, and its own end has not come, or AMG lists it as alive."""
    if token.state not in _ENDED or token.deleted_at is not None or not token.aws_token_id:
        return False
    if not token.may_exist_at_aws or token.expires_at is None:
        return False
    if token.expires_at > timezone.now():
        return True
    return _listed_alive.one(token.service_account_id, token.aws_token_id) is not None


def outliving(team: Team) -> list[Token]:
    """Those of a team that AMG listed as alive when its lists were last read; there are few."""
    # Whose they are is asked afterwards: of all teams together there are few.
    listed = ListedToken.objects.filter(drift=Drift.ENDED).order_by()
    found = list(listed.values_list("aws_id", "service_account__workspace"))
    if not found:
        return []
    workspaces = {workspace for _, workspace in found}
    rows = Token.objects.known_at_aws_as(workspaces, [aws_id for aws_id, _ in found])
    rows = rows.filter(team=team)
    return [token for token in rows.for_pages().order_by("pk") if outlives_its_end(token)]
