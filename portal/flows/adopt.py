"""Somebody answers from now on for a token that was made outside the portal."""

from django.db import IntegrityError

from portal import life, policy
from portal.audit import Actor
from portal.life import Effects, adopting
from portal.models import Drift, ListedToken, NoticeKind, ServiceAccount, Team, Token, User


class NotForeignError(Exception):
    """It is not (or no longer) a token that nobody here issued; says what it is, for people."""


class AdoptionRefusedError(Exception):
    """It can't be adopted so; ``field`` names the input that the message belongs to."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def adopt(
    listed_id: int, *, team: Team, owner: User, actor: Actor, reason: str
) -> tuple[Token, Effects]:
    """Give it a row: ``owner`` of ``team`` answers for it, is mailed before it ends, may end it.

    Raises PermissionDenied, ListedToken.DoesNotExist, NotForeignError or AdoptionRefusedError.
    """
    try:
        with life.work(actor) as work:
            entry = _locked(listed_id)
            policy.require(policy.may_act_on_inventory, actor.user, entry.service_account)
            _require_possible(entry, team, owner, actor)
            token = adopting.adopt(work, entry, team=team, owner=owner, reason=reason)
            told = [owner, *policy.responsible_for(team)]
            others = [one for one in told if one != actor.user]
            work.tell(NoticeKind.ADOPTED, token, to=others, reason=reason)
    except IntegrityError:
        raise AdoptionRefusedError("", f"It can't be adopted: {adopting.NAME_IS_HERE}.") from None
    return token, work.effects


def _locked(listed_id: int) -> ListedToken:
    """The entry, after its account: whoever reads AMG's list locks that first."""
    account = ListedToken.objects.values_list("service_account", flat=True).get(pk=listed_id)
    ServiceAccount.objects.select_for_update(no_key=True).get(pk=account)
    rows = ListedToken.objects.select_related("service_account__workspace")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=listed_id)


def _require_possible(entry: ListedToken, team: Team, owner: User, actor: Actor) -> None:
    if entry.drift != Drift.FOREIGN:
        raise NotForeignError("This token has a record here by now.")
    if entry.end_asked_at is not None:
        raise NotForeignError(f"{entry.end_asked_by} has asked to have this token deleted.")
    account = entry.service_account
    teams = policy.adopting_teams_of(actor.user, [account]) if actor.user is not None else {}
    if team not in teams.get(account.pk, []):
        raise AdoptionRefusedError(
            "team",
            f"Team {team.slug} has no grant for this account, or is not yours to choose for.",
        )
    if not policy.belongs(owner, team):
        raise AdoptionRefusedError("owner", f"{owner.email} is not in team {team.slug}.")
    if why := adopting.why_not(entry):
        raise AdoptionRefusedError("", f"It can't be adopted: {why}.")
