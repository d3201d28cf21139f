"""Who may agree to a request, and what policy says of it now."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q

from portal.models import State, Token, User
from portal.models.queries import TokenQuerySet
from portal.policy.grants import limits_for
from portal.policy.leads import admins, leading, leads, leads_of, led_by


def approvers_of(token: Token) -> list[User]:
    """Who is asked to agree to a request: never its owner."""
    leads_of_team = list(leads_of(token.team).exclude(pk=token.owner_id))
    return leads_of_team or list(admins().exclude(pk=token.owner_id))


def approvable_tokens(user: User) -> TokenQuerySet:
    """The requests that wait for approval, and that ``user`` may approve or deny."""
    if not user.is_active:
        return Token.objects.none()
    led = led_by(user).values("pk")
    other_lead = leading().filter(team=OuterRef("team")).exclude(user=OuterRef("owner"))
    theirs = Q(team__in=led)
    if user.is_admin:
        theirs |= ~Q(Exists(other_lead))
    waiting = Token.objects.filter(state=State.AWAITING_APPROVAL)
    own = waiting.filter(owner=user, team__in=led).select_related(
        "owner", "team", "service_account"
    )
    own_ids = [token.pk for token in own if _may_approve_own(token)]
    return waiting.filter((theirs & ~Q(owner=user)) | Q(pk__in=own_ids))


def may_approve(user: User, token: Token) -> bool:
    """Whether ``user`` may agree to this request, or deny it.

    Nobody approves their own, unless they are the team's only lead and the grant allows it. Without
    any other lead, admins approve.
    """
    if not user.is_active:
        return False
    if token.owner_id == user.pk:
        return leads(user, token.team_id) and _may_approve_own(token)
    if leads(user, token.team_id):
        return True
    return user.is_admin and not leads_of(token.team).exclude(pk=token.owner_id).exists()


def may_reissue(user: User, token: Token) -> bool:
    """Whether ``user`` may ask for a token in the place of this one: its owner, or a lead."""
    return user.is_active and (token.owner_id == user.pk or leads(user, token.team_id))


@dataclass(frozen=True, slots=True)
class CurrentTerms:
    """What policy says now of a request that it has accepted before.

    ``seconds_to_live`` is what was asked for, or today's maximum if that is less.
    """

    is_granted: bool
    needs_approval: bool = False
    seconds_to_live: int = 0


def current_terms(token: Token) -> CurrentTerms:
    """Ask policy again: a grant may have gone, shrunk or come to need approval meanwhile."""
    limits = limits_for(token.owner, token.team, token.service_account)
    if limits is None:
        return CurrentTerms(is_granted=False)
    return CurrentTerms(
        is_granted=True,
        needs_approval=limits.needs_approval and not _is_approved(token),
        seconds_to_live=min(token.seconds_to_live, limits.max_ttl),
    )


def _is_approved(token: Token) -> bool:
    """Whether somebody has agreed to a token for this account as it is now.

    AMG may have renamed it since, or given it another role. Approvals of former versions of the
    portal say neither.
    """
    if token.approved_at is None:
        return False
    agreed = (token.approved_account, token.approved_role)
    account = token.service_account
    return agreed in (("", ""), (account.name, account.grafana_role))


def _may_approve_own(token: Token) -> bool:
    if leads_of(token.team).exclude(pk=token.owner_id).exists():
        return False
    limits = limits_for(token.owner, token.team, token.service_account)
    return limits is not None and limits.self_approval
