"""Writes the messages of webhooks from the audit log, as far as it has grown.

The log is the outbox (docs/decisions/0045): what happened stands there with what it tells, from one
transaction, in one order and without a gap. So nothing that people wait for writes or asks anything
for webhooks, and a portal that was away misses no event.
"""

from django.db import transaction

from portal.models import AuditEvent, Tally, Webhook, WebhookDelivery
from portal.webhooks.telling import ACTIONS, last_event, messages_of

AT_ONCE = 500
"""Events of one turn of the scheduler."""

_READ = ("webhooks_read_to", "")


def tell_webhooks() -> int:
    """Write them; how many. Of two schedulers that read the same, one writes."""
    webhooks = list(Webhook.objects.heard())
    if not webhooks:
        return 0
    before = Tally.objects.number(*_READ)
    begin = max(int(before), min(one.after_event for one in webhooks))
    head = last_event()
    if begin >= head:
        return 0
    rows = AuditEvent.objects.filter(seq__gt=begin, seq__lte=head, action__in=ACTIONS)
    events = list(rows.order_by("seq")[:AT_ONCE])
    messages = messages_of(events, webhooks)
    read_to = events[-1].seq if len(events) == AT_ONCE else head
    with transaction.atomic():
        if not _note(before, read_to):
            return 0
        # What is written twice all the same (a restored number) is told once.
        WebhookDelivery.objects.bulk_create(messages, ignore_conflicts=True)
    return len(messages)


def _note(before: float, read_to: int) -> bool:
    metric, labels = _READ
    row = Tally.objects.filter(metric=metric, labels=labels)
    if not row.exists():
        Tally.objects.add({_READ: 0})
    return bool(row.filter(value=before).update(value=read_to))
