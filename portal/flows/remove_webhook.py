"""A team's webhook goes, with what waits for it and the record of what was sent."""

from django.db import transaction

from portal import policy
from portal.audit import Actor
from portal.models import Webhook
from portal.webhooks.recording import record_change


def remove_webhook(webhook: Webhook, *, actor: Actor) -> None:
    """Remove it. Raises PermissionDenied."""
    policy.require(policy.may_manage, actor.user, webhook.team)
    with transaction.atomic():
        gone, _ = Webhook.objects.filter(pk=webhook.pk).delete()
        if gone:
            record_change(webhook, "deleted", actor=actor)
