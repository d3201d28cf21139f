"""Somebody wants to see whether a webhook works, or a message of it once more."""

import uuid

from django.db import transaction
from django.db.models.functions import Now

from portal import policy
from portal.audit import Actor
from portal.life import Effects
from portal.models import Token, Webhook, WebhookDelivery
from portal.models.webhooks import TEST
from portal.webhooks import bodies


def try_webhook(webhook: Webhook, *, actor: Actor) -> Effects:
    """Have a message sent that tells of nothing. Raises PermissionDenied."""
    person = policy.require(policy.may_manage, actor.user, webhook.team)
    said = bodies.of_test(webhook.team, by=person.email, at=Token.objects.database_now())
    with transaction.atomic():
        WebhookDelivery.objects.create(
            webhook=webhook,
            kind=TEST,
            about=f"test {uuid.uuid4()}",
            body=bodies.write(said, webhook.format),
        )
        _call_now(webhook)
    return Effects(webhook=[webhook.pk])


def send_again(message: WebhookDelivery, *, actor: Actor) -> Effects:
    """Have a message sent once more, at once, under the id that it has. Raises PermissionDenied."""
    webhook = message.webhook
    person = policy.require(policy.may_manage, actor.user, webhook.team)
    with transaction.atomic():
        WebhookDelivery.objects.filter(pk=message.pk).update(
            begun_at=Now(), not_before=None, taken_at=None, dropped_at=None, again_by=person.email
        )
        _call_now(webhook)
    return Effects(webhook=[webhook.pk])


def _call_now(webhook: Webhook) -> None:
    """Who asks need not wait for the pause after a call that failed."""
    Webhook.objects.filter(pk=webhook.pk).update(not_before=None, rung_at=Now())
