"""Who has lost access: tokens and requests that policy would not grant to their owners any more."""

from django.db.models import Exists, OuterRef, Q

from portal.models import Grant, Membership, OnLeaving, State, Team, Token, User
from portal.models.lookups import IS_ACTIVE, OPEN_OF_TEAM
from portal.models.queries import TokenQuerySet, has_left
from portal.policy.grants import limits_for, suspension
from portal.policy.rights import CANCELLABLE
from portal.text import shown

UNDELIVERED = (*CANCELLABLE, State.SEALED)
"""States in which lost access ends a token: its key is in nobody's hands."""


def without_access() -> TokenQuerySet:
    """Tokens of people who may not ask for them any more: the same rule as ``limits_for``."""
    belongs = Membership.objects.filter(
        user=OuterRef("owner"),
        team=OuterRef("team"),
        user__is_active=True,
        team__closed_at=None,
    )
    covering = Grant.objects.filter(
        Q(workspace=None)
        | Q(workspace=OuterRef("workspace"), service_account=None)
        | Q(service_account=OuterRef("service_account")),
        team=OuterRef("team"),
    )
    # Only grants of one account are ever suspended, and none is more specific than they.
    suspended = covering.exclude(suspended_at=None)
    return Token.objects.filter(~Exists(belongs) | ~Exists(covering) | Exists(suspended))


def why_without_access(token: Token) -> str:
    """What took the access away, for its owner to read; empty while there is access."""
    team, owner = token.team, token.owner
    if owner.is_active and team.closed_at is not None:
        return f"Team {team.name} was closed."
    if why := _why_gone(owner, team):
        return why
    if limits_for(owner, team, token.service_account) is None:
        account, workspace = token.service_account, token.workspace
        return (
            suspension(owner, workspace.aws_id, account.aws_id)
            or f"Team {team.name} has no grant for the service account "
            f"{shown(account.name)} any more."
        )
    return ""


def not_kept_on_leaving() -> TokenQuerySet:
    """Live tokens whose owner, or whoever took their key, has left a team that keeps none of
    theirs. A team that was closed has left its people, not they it: admins hold its desk."""
    teams = Team.objects.filter(on_leaving=OnLeaving.REVOKE, closed_at=None)
    strict = list(teams.values_list("pk", flat=True))
    if not strict:
        return Token.objects.none()
    left = has_left("owner") | has_left("recipient")
    return Token.objects.filter(OPEN_OF_TEAM & IS_ACTIVE, left, team__in=strict)


def why_not_kept(token: Token) -> str:
    """Who has left, for the token's owner to read; empty while its team keeps it."""
    team = token.team
    if team.on_leaving != OnLeaving.REVOKE or team.closed_at is not None:
        return ""
    for person in (token.owner, token.recipient):
        if person is not None and (why := _why_gone(person, team)):
            return why
    return ""


def _why_gone(person: User, team: Team) -> str:
    if not person.is_active:
        return f"The account of {person.email} was closed."
    if not person.memberships.filter(team=team).exists():
        return f"{person.email} is no longer in team {team.name}."
    return ""
