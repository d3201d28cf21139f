"""A team chooses how long before its tokens' ends the mails go out."""

from django.db import transaction

from portal import audit, notice_days, policy
from portal.audit import Actor
from portal.models import Action, Team


def choose_notice_days(team: Team, text: str, *, actor: Actor) -> None:
    """Empty is as everywhere. Raises PermissionDenied, or ValueError with a sentence for people."""
    policy.require(policy.may_manage, actor.user, team)
    days = ",".join(map(str, notice_days.parse(text))) if text.strip() else ""
    with transaction.atomic():
        if not Team.objects.filter(pk=team.pk).exclude(notice_days=days).update(notice_days=days):
            return
        subject = f"mails of team {team.slug}: {days or 'the usual number of'} days before an end"
        audit.record(Action.SETTINGS_CHANGED, actor=actor, subject=subject, team=team)
