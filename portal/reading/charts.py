"""The numbers behind the charts: of a filter's range, at a bounded cost.

A chart counts what its own action says, so a filter's ``action`` and ``outcome`` don't narrow it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise

from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from portal.models import Action, AuditEvent, State, Token
from portal.models.lookups import TRUE_END
from portal.moments import fixed, stretches
from portal.reading.filters import Filter, people_like

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""No event is older."""

USUAL_DAYS = 30
MOST_DAYS = 366
MOST_EVENTS = 1_000_000
"""How far back charts look, in numbers of the log: what they read at most, whatever is asked."""

REMAINING = (
    (timedelta(hours=1), "under 1 hour"),
    (timedelta(days=1), "1 hour to 1 day"),
    (timedelta(days=7), "1 to 7 days"),
    (timedelta(days=31), "7 to 30 days"),
)


@dataclass(frozen=True, slots=True)
class Charts:
    """What the charts show. ``since`` and ``until`` are what they cover, in days of the zone
    ``place``; ``is_cut`` says that more was asked for."""

    since: datetime
    until: datetime
    place: tzinfo
    is_cut: bool
    issued: dict[date, dict[str, int]]
    failures: list[tuple[str, int]]
    remaining: list[tuple[str, int]]


def charts(wanted: Filter, place: tzinfo = UTC) -> Charts:
    """Count. Days are those of the zone ``place``."""
    now = timezone.now()
    until = max(min(wanted.until or now, now), EARLIEST)
    asked = wanted.since or until - timedelta(days=USUAL_DAYS)
    since = min(max(asked, until - timedelta(days=MOST_DAYS), EARLIEST), until)
    covered = replace(wanted, action="", outcome="", since=since, until=until)
    within = covered.bounds().condition()
    newest = AuditEvent.objects.filter(within).aggregate(seq=Max("seq"))["seq"] or 0
    cut = AuditEvent.objects.filter(seq__lte=newest - MOST_EVENTS).order_by("-seq").first()
    events = AuditEvent.objects.filter(within & covered.condition())
    if cut is not None and cut.at > since:
        events = events.filter(seq__gt=cut.seq)
        since = cut.at
    failed = events.filter(action=Action.TOKEN_FAILED).order_by().values_list("error_code")
    failures = failed.annotate(number=Count("seq")).order_by("-number", "error_code")
    return Charts(
        since=since,
        until=until,
        place=place,
        is_cut=since > asked,
        issued=_issued(events, since, until, place),
        failures=[(code or "no code", number) for code, number in failures],
        remaining=_remaining(wanted, now),
    )


def _issued(
    events: QuerySet[AuditEvent], since: datetime, until: datetime, place: tzinfo
) -> dict[date, dict[str, int]]:
    """Tokens made on each day, by team.

    The database is told offsets and no zones: its own list of zones may be another one.
    """
    found: dict[date, dict[str, int]] = {}
    made = events.filter(action=Action.TOKEN_ISSUED).order_by()
    parts = list(stretches(place, since, until))
    for begin, end, offset in parts:
        part = made.filter(at__gte=begin, at__lt=end) if len(parts) > 1 else made
        by_day = part.annotate(day=TruncDate("at", tzinfo=fixed(offset))).values_list("day", "team")
        for day, team, number in by_day.annotate(number=Count("seq")):
            by_team = found.setdefault(day, {})
            by_team[team] = by_team.get(team, 0) + number
    return found


def _account_path(wanted: Filter) -> str:
    is_id = wanted.service_account.isascii() and wanted.service_account.isdigit()
    return f"service_account__{'aws_id' if is_id else 'name__iexact'}"


def _remaining(wanted: Filter, now: datetime) -> list[tuple[str, int]]:
    """Live tokens by how long they still live, now, whatever range was asked for."""
    ahead = Q(expires_at__gt=now)
    # Each half has a partial index of its own.
    live = Q(state=State.ACTIVE) & ahead | Q(state__in=(State.SEALED, State.REVOKING)) & ahead
    tokens = Token.objects.filter(live).order_by()
    for path, value in (
        ("team__slug", wanted.team),
        ("workspace__aws_id", wanted.workspace),
        (_account_path(wanted), wanted.service_account),
        ("service_account__grafana_role", wanted.role),
        ("owner__email", wanted.actor),
    ):
        if value:
            tokens = tokens.filter(**{path: value})
    if wanted.q:
        named = Q(name__startswith=wanted.q) | Q(owner__email__in=people_like(wanted.q))
        tokens = tokens.filter(named)
    ends = [timedelta(0), *(most for most, _ in REMAINING)]
    counts = tokens.alias(ends=TRUE_END).aggregate(
        **{
            f"band{n}": Count("pk", filter=Q(ends__gt=now + more, ends__lte=now + most))
            for n, (more, most) in enumerate(pairwise(ends))
        }
    )
    return [(label, counts[f"band{n}"]) for n, (_, label) in enumerate(REMAINING)]
