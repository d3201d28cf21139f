"""A team's webhook goes, with what waits for it and the record of what was sent."""

from django.db import transaction

from portal import audit, policy
from portal.audit import Actor
from portal.models import Action, Webhook
from portal.text import isolated


def remove_webhook(webhook: Webhook, *, actor: Actor) -> None:
    """Remove it. Raises PermissionDenied."""
    policy.require(policy.may_manage, actor.user, webhook.team)
    with transaction.atomic():
        gone, _ = Webhook.objects.filter(pk=webhook.pk).delete()
        if gone:
            subject = f"webhook {isolated(webhook.name)}: deleted"
            audit.record(Action.SETTINGS_CHANGED, actor=actor, subject=subject, team=webhook.team)
