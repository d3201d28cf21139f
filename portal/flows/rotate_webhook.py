"""A webhook gets another secret. For a day the one before signs beside it, so that a receiver may
take the new one at any time."""

from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from portal import policy
from portal.audit import Actor
from portal.models import Webhook
from portal.webhooks import signing
from portal.webhooks.recording import record_change

OVERLAP = timedelta(hours=24)


def rotate_webhook(webhook: Webhook, *, actor: Actor) -> None:
    """Rotate it. Raises PermissionDenied."""
    person = policy.require(policy.may_manage, actor.user, webhook.team)
    with transaction.atomic():
        Webhook.objects.filter(pk=webhook.pk).update(
            secret_before=F("secret"),
            before_until=Now() + OVERLAP,
            secret=signing.lock(signing.new_secret()),
            shown_to=person,
            shown_until=Now() + signing.SHOWN_FOR,
        )
        record_change(webhook, "another secret", actor=actor)


def hide_secret(webhook: Webhook, *, actor: Actor) -> None:
    """Who made the secret has stored it: nobody is shown it any more. Raises PermissionDenied."""
    person = policy.require(policy.may_manage, actor.user, webhook.team)
    row = Webhook.objects.filter(pk=webhook.pk, shown_to=person)
    row.update(shown_to=None, shown_until=None)
