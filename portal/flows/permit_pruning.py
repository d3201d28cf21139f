"""An admin permits, or forbids, that expired tokens which nobody here issued are deleted at AWS.

For one workspace, until it is withdrawn: they take places of its quota until somebody deletes them.
"""

from django.db import transaction
from django.db.models.functions import Now

from portal import audit, policy
from portal.audit import Actor
from portal.models import Action, Workspace
from portal.text import shown


def permit_pruning(workspace: Workspace, *, actor: Actor, is_permitted: bool) -> bool:
    """False where that is so already. Raises PermissionDenied for anybody but an admin."""
    policy.require(policy.may_permit_pruning, actor.user, workspace)
    rows = Workspace.objects.filter(pk=workspace.pk, foreign_pruned_since__isnull=is_permitted)
    since, by = (Now(), actor.label) if is_permitted else (None, "")
    with transaction.atomic():
        if not rows.update(foreign_pruned_since=since, foreign_pruned_by=by):
            return False
        what = "permitted" if is_permitted else "permitted no longer"
        subject = (
            f"workspace {workspace.aws_id} ({shown(workspace.name)[:80]}): deleting expired tokens "
            f"that nobody here issued is {what}"
        )
        audit.record(Action.SETTINGS_CHANGED, actor=actor, subject=subject)
    return True
