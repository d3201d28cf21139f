"""Who may open a team's desk, and what may be ended from there."""

from dataclasses import dataclass

from django.db.models import QuerySet

from portal.models import Membership, Role, Team, Token, User
from portal.models.prepared import Prepared
from portal.policy.auditing import may_audit
from portal.policy.leads import leads
from portal.policy.outliving import outlives_its_end
from portal.policy.rights import CANCELLABLE, REVOCABLE, teams_of

ENDABLE = (*REVOCABLE, *CANCELLABLE)

_memberships = Prepared(
    lambda user_id: Membership.objects.filter(user=user_id, team__closed_at=None), like=[-1]
)


def readable_teams(user: User) -> QuerySet[Team]:
    """The teams whose tokens ``user`` may read as a list: their own open teams, or all.

    So a closed team has its desk too: admins hold it, auditors read it.
    """
    return Team.objects.all() if user.is_admin or user.is_auditor else teams_of(user)


@dataclass(frozen=True, slots=True)
class Reach:
    """Which parts of the portal a person has, beyond their own tokens."""

    team: bool
    approves: bool
    audit: bool
    inventory: bool


def reach(user: User) -> Reach:
    """What the navigation offers: on every page, so it asks the database once."""
    roles = {membership.role for membership in _memberships(user.pk)}
    is_lead = user.is_active and Role.LEAD in roles
    audits = may_audit(user)
    return Reach(
        team=bool(roles) or audits,
        approves=is_lead or user.is_admin,
        audit=audits,
        inventory=is_lead or audits,
    )


def may_manage(user: User, team: Team) -> bool:
    """Whether ``user`` may end all of the team's tokens: its lead while it is open, an admin."""
    return user.is_active and (user.is_admin or leads(user, team.pk))


def is_revocable(token: Token) -> bool:
    """Whether there is a token to end: here, or at AWS though it has ended here."""
    return token.state in REVOCABLE or outlives_its_end(token)


def is_cancellable(token: Token) -> bool:
    """Whether there is a request to withdraw, and nobody has done so."""
    return token.state in CANCELLABLE and not token.cancel_requested
