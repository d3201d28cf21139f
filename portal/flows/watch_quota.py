"""Tells leads that a workspace of theirs is nearly full: once, until it has emptied again."""

from django.db import transaction
from django.db.models.functions import Now

from portal import policy
from portal.life import Effects
from portal.models import LeadMail, LeadMailKind, Workspace
from portal.models.filling import Filling, count_by_workspace

EMPTIED = 0.7
"""Of the quota: below this the next warning may come. Not at the same number, or a workspace that
stands there would warn again and again."""


def watch_quota() -> Effects:
    """Compare what fills each workspace with AMG's quota."""
    counts = count_by_workspace()
    full, emptied = [], []
    for workspace in Workspace.objects.present():
        filling = Filling.of(workspace.pk, counts)
        if workspace.quota_warned_at is None and filling.is_nearly_full:
            full.append(workspace)
        elif workspace.quota_warned_at and filling.used < EMPTIED * filling.quota:
            emptied.append(workspace.pk)
    if emptied:
        Workspace.objects.filter(pk__in=emptied).update(quota_warned_at=None)
    for workspace in full:
        _warn(workspace)
    return Effects()


def _warn(workspace: Workspace) -> None:
    """Whoever of two schedulers writes the moment first, writes the mails."""
    with transaction.atomic():
        row = Workspace.objects.filter(pk=workspace.pk, quota_warned_at=None)
        if not row.update(quota_warned_at=Now()):
            return
        at = Workspace.objects.values_list("quota_warned_at", flat=True).get(pk=workspace.pk)
        if at is None:
            return
        about = f"{workspace.aws_id} {at:%Y-%m-%dT%H:%M:%S.%f}"
        LeadMail.objects.bulk_create(
            [
                LeadMail(
                    kind=LeadMailKind.NEARLY_FULL,
                    recipient=person,
                    workspace=workspace,
                    about=about,
                )
                for person in policy.leads_of_workspace(workspace)
            ],
            ignore_conflicts=True,
        )
