"""Makes the grants of teams those that an access file asks for."""

from django.db.models.functions import Now

from portal.access import words
from portal.access.resolving import LIMITS, Wanted
from portal.access.words import Change
from portal.models import Grant, Team

ANOTHER_ACCOUNT = "Its name in the access file belonged to another service account before."
_CHANGEABLE = (*LIMITS, "pool", "suspended_at", "suspended_reason")


def write_grants(wanted: Wanted, teams: dict[str, Team], *, confirm: bool) -> list[Change]:
    """Make the grants of the teams these, by the handful of statements that it takes.

    Without ``confirm`` what is suspended stays so, and what is in doubt is suspended.
    """
    before: dict[int, dict[tuple[int | None, int | None], Grant]]
    before = {team.pk: {} for team in teams.values()}
    rows = Grant.objects.filter(team__in=before).select_related("workspace", "service_account")
    for row in rows.order_by("pk"):
        before[row.team_id][row.workspace_id, row.service_account_id] = row
    changes: list[Change] = []
    gone, changed, new = [], [], []
    for slug, after in wanted.items():
        team = teams[slug]
        known = before[team.pk]
        for scope, grant in after.items():
            grant.team = team
            row_or_none = known.get(scope)
            if row_or_none is None:
                dropped = [row for scope, row in known.items() if scope not in after]
                if not confirm and _is_in_doubt(grant, dropped):
                    grant.suspended_at, grant.suspended_reason = Now(), ANOTHER_ACCOUNT
                new.append(grant)
                continue
            grant.pk = row_or_none.pk
            if not confirm:
                grant.suspended_at = row_or_none.suspended_at
                grant.suspended_reason = row_or_none.suspended_reason
            if any(getattr(grant, name) != getattr(row_or_none, name) for name in _CHANGEABLE):
                changed.append(grant)
        gone += [row.pk for scope, row in known.items() if scope not in after]
        changes += words.grants(team, known, after)
    Grant.objects.filter(pk__in=gone).delete()
    Grant.objects.bulk_update(changed, _CHANGEABLE)
    Grant.objects.bulk_create(new)
    return changes


def _is_in_doubt(grant: Grant, dropped: list[Grant]) -> bool:
    """Whether a name of the file may mean another account than the one that was reviewed.

    So it may when the team loses, in the same workspace, a grant for an account that AMG has
    changed or no longer has.
    """
    return grant.service_account is not None and any(
        row.workspace_id == grant.workspace_id
        and row.service_account is not None
        and (row.suspended_at is not None or row.service_account.gone_at is not None)
        for row in dropped
    )
