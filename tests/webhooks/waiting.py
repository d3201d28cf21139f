"""Time that passes for webhooks, and messages that wait for it."""

import json
import uuid
from datetime import timedelta

from django.db import models
from django.db.models import F

from portal.models import Webhook, WebhookDelivery


def pass_time(span: timedelta) -> None:
    """Let every row be as much older: the database's clock is not ours to set."""
    for model in (Webhook, WebhookDelivery):
        moments = [
            one.name for one in model._meta.concrete_fields if isinstance(one, models.DateTimeField)
        ]
        model._default_manager.update(**{name: F(name) - span for name in moments})


def write(webhook: Webhook, text: str = "hello") -> WebhookDelivery:
    """A message that waits."""
    body = json.dumps({"type": "token.issued", "data": {"text": text}}, ensure_ascii=False)
    return WebhookDelivery.objects.create(
        webhook=webhook, kind="token.issued", about=f"test {uuid.uuid4()}", body=body
    )
