"""On Mondays each lead has a digest of their teams, in their own zone."""

from datetime import UTC, datetime, timedelta

from portal import policy
from portal.life import Effects
from portal.models import LeadMail, LeadMailKind, MailTopic, Token, User
from portal.moments import UnknownZoneError, zone

HOUR = 7
"""Of Monday, where the lead is."""
CAUGHT_UP = timedelta(hours=24)
"""How long after that a digest is still written: a scheduler may have been away."""


def write_digests() -> Effects:
    """Write those whose hour has come, each once a week, whatever restarts in between."""
    now = Token.objects.database_now()
    if not any(week_of(now, offset) for offset in (-14, -7, 0, 7, 14)):
        return Effects()
    leads = User.objects.filter(pk__in=policy.leading().values("user")).exclude(
        unwanted_mails__topic=MailTopic.DIGEST
    )
    due = {
        pk: week for pk, name in leads.values_list("pk", "time_zone") if (week := _due(now, name))
    }
    written = set(
        LeadMail.objects.filter(
            kind=LeadMailKind.DIGEST, recipient__in=due, about__in=set(due.values())
        ).values_list("recipient", "about")
    )
    LeadMail.objects.bulk_create(
        [
            LeadMail(kind=LeadMailKind.DIGEST, recipient_id=pk, about=week)
            for pk, week in due.items()
            if (pk, week) not in written
        ],
        ignore_conflicts=True,
    )
    return Effects()


def week_of(now: datetime, offset: float) -> str:
    """The week whose digest is due where clocks are so many hours ahead of UTC; empty: none."""
    local = (now.astimezone(UTC) + timedelta(hours=offset)).replace(tzinfo=None)
    monday = (local - timedelta(days=local.weekday())).replace(
        hour=HOUR, minute=0, second=0, microsecond=0
    )
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02}" if monday <= local < monday + CAUGHT_UP else ""


def _due(now: datetime, name: str) -> str:
    try:
        offset = now.astimezone(zone(name)).utcoffset() if name else None
    except UnknownZoneError:
        offset = None
    return week_of(now, (offset or timedelta(0)).total_seconds() / 3600)
