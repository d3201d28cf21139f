"""What could go where a workspace is full, and who can end it: asked once somebody was refused."""

from django.db.models import F, Q
from django.db.models.functions import Now

from portal.models import Drift, ListedToken, Token, User, Workspace
from portal.models.flags import DAY
from portal.models.lookups import HOLDS_NAME, IS_ACTIVE
from portal.policy.leads import led_by
from portal.policy.rights import teams_of
from portal.text import isolated

MOST_NAMED = 3
UNUSED_FOR = 30 * DAY


def who_could_go(user: User, workspace: Workspace) -> str:
    """In sentences, for somebody who may know of their own teams' tokens alone; empty where
    nothing is unused, expired or foreign."""
    here = Token.objects.filter(HOLDS_NAME & IS_ACTIVE, workspace=workspace)
    not_used = Q(last_used_at=None, delivered_at__lt=Now() - DAY)
    unused = here.filter(not_used | Q(last_used_at__lt=Now() - UNUSED_FOR))
    teams = set(teams_of(user).values_list("pk", flat=True))
    led = set(led_by(user).values_list("pk", flat=True))
    own = unused.filter(team__in=teams).select_related("owner", "team")
    told = [
        _sentence(one, user, leads=one.team_id in led)
        for one in own.order_by(F("last_used_at").asc(nulls_first=True), "pk")[:MOST_NAMED]
    ]
    others = unused.exclude(team__in=teams).count()
    if others:
        told.append(f"{_count(others, 'unused token')} of other teams: their leads, or an admin.")
    foreign = ListedToken.objects.filter(drift=Drift.FOREIGN, service_account__workspace=workspace)
    expired = foreign.filter(expires_at__lte=Now()).count()
    if number := foreign.count():
        over = f", {expired} of them expired" if expired else ""
        told.append(
            f"{_count(number, 'token')} not issued here{over}: an admin, or a lead whose team is "
            "granted their account, in the inventory."
        )
    if not told:
        return ""
    return " ".join(["These could go, and who can end them:", *told])


def _sentence(token: Token, user: User, *, leads: bool) -> str:
    used = token.last_used_at
    seen = f"last used {used:%Y-%m-%d}" if used else "no use seen"
    can = "you can" if leads or token.owner_id == user.pk else "its owner, or a lead of the team"
    return f"{isolated(token.name)} of {token.owner.email} ({seen}): {can}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
