"""What is recorded of a webhook's own life: who made, changed, rotated or deleted it."""

from portal import audit
from portal.audit import Actor
from portal.models import Action, Webhook
from portal.text import isolated


def record_change(webhook: Webhook, what: str, *, actor: Actor) -> None:
    """Write the event, inside the transaction of the change."""
    subject = f"webhook {isolated(webhook.name)}: {what}"
    audit.record(Action.SETTINGS_CHANGED, actor=actor, subject=subject, team=webhook.team)
