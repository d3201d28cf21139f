"""Who leads a team: people who may sign in, of a team that is open."""

from django.db.models import Q, QuerySet

from portal.models import Grant, Membership, Role, Team, User, Workspace


def leading() -> QuerySet[Membership]:
    """The memberships that make somebody a lead."""
    return Membership.objects.filter(role=Role.LEAD, team__closed_at=None, user__is_active=True)


def leads(user: User, team_id: int) -> bool:
    """Whether ``user`` is a lead of the team."""
    return leading().filter(user=user, team=team_id).exists()


def led_by(user: User) -> QuerySet[Team]:
    """The teams that ``user`` is a lead of."""
    return Team.objects.filter(pk__in=leading().filter(user=user).values("team"))


def leads_of(team: Team) -> QuerySet[User]:
    """The team's leads."""
    return User.objects.filter(pk__in=leading().filter(team=team).values("user"))


def leads_of_workspace(workspace: Workspace) -> QuerySet[User]:
    """The leads of the teams that are granted something in a workspace."""
    grants = Grant.objects.filter(Q(workspace=workspace) | Q(workspace=None))
    return User.objects.filter(
        pk__in=leading().filter(team__in=grants.values("team")).values("user")
    )


def leads_in(user: User, workspace: Workspace) -> bool:
    """Whether ``user`` leads a team that is granted something there."""
    return leads_of_workspace(workspace).filter(pk=user.pk).exists()


def responsible_for(team: Team) -> list[User]:
    """Who answers for a team: its leads, or the admins where it has none or is closed."""
    return list(leads_of(team)) or list(admins())


def admins() -> QuerySet[User]:
    """Those who may do so."""
    return User.objects.filter(is_active=True, is_admin=True)
