"""Forgets messages of webhooks: they name people, and the audit log tells the same for ever."""

from datetime import timedelta

from django.db.models.functions import Now

from portal.models import WebhookDelivery

KEPT_FOR = timedelta(days=30)
AT_ONCE = 1000


def forget_messages() -> int:
    """Delete those that are older than that; how many."""
    old = WebhookDelivery.objects.filter(created_at__lt=Now() - KEPT_FOR).order_by("created_at")
    pks = list(old.values_list("pk", flat=True)[:AT_ONCE])
    return WebhookDelivery.objects.filter(pk__in=pks).delete()[0] if pks else 0
