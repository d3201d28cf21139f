"""An admin says that suspended grants still hold, for what AMG has made of their accounts."""

from collections.abc import Iterable

from django.core.exceptions import PermissionDenied
from django.db import transaction

from portal import audit, policy
from portal.audit import Actor
from portal.models import Action, Grant


def confirm_grants(grant_ids: Iterable[int], *, actor: Actor) -> int:
    """Have suspended grants grant again; returns how many there were.

    Raises PermissionDenied for anybody but an admin.
    """
    if actor.user is None or not policy.may_change_access(actor.user):
        raise PermissionDenied
    with transaction.atomic():
        suspended = Grant.objects.filter(pk__in=grant_ids).exclude(suspended_at=None)
        rows = list(suspended.select_related("team", "workspace", "service_account").order_by("pk"))
        suspended.update(suspended_at=None, suspended_reason="")
        for grant in rows:
            subject = f"~ grant of {grant.team.slug} for {grant.where}: confirmed"
            audit.record(
                Action.ACCESS_CHANGED,
                actor=actor,
                team=grant.team,
                subject=subject,
                reason=grant.suspended_reason,
            )
    return len(rows)
