"""A team's calendar gets another link: whoever has the old one sees nothing any more."""

from django.db import transaction
from django.db.models import F

from portal import audit, policy
from portal.audit import Actor
from portal.models import Action, Team


def renew_calendar(team: Team, *, actor: Actor) -> None:
    """Renew it. Raises PermissionDenied."""
    policy.require(policy.may_manage, actor.user, team)
    with transaction.atomic():
        Team.objects.filter(pk=team.pk).update(calendar_renewals=F("calendar_renewals") + 1)
        subject = f"calendar of team {team.slug}: the link was renewed"
        audit.record(Action.SETTINGS_CHANGED, actor=actor, subject=subject, team=team)
