"""Who has lost access: tokens and requests that policy would not grant to their owners any more."""

from django.db.models import Exists, OuterRef, Q

from portal.models import Grant, Membership, State, Token
from portal.models.queries import TokenQuerySet
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
    if not owner.is_active:
        return f"The account of {owner.email} was closed."
    if team.closed_at is not None:
        return f"Team {team.name} was closed."
    if not owner.memberships.filter(team=team).exists():
        return f"{owner.email} is no longer in team {team.name}."
    if limits_for(owner, team, token.service_account) is None:
        account, workspace = token.service_account, token.workspace
        return (
            suspension(owner, workspace.aws_id, account.aws_id)
            or f"Team {team.name} has no grant for the service account "
            f"{shown(account.name)} any more."
        )
    return ""
