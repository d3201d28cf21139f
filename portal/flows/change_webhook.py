"""A webhook gets another address, name or format, or is told of other things."""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction

from portal import policy
from portal.audit import Actor
from portal.models import Webhook
from portal.text import isolated
from portal.webhooks import places, signing
from portal.webhooks.recording import record_change


def change_webhook(
    webhook: Webhook, *, name: str, url: str, form: str, kinds: Sequence[str], actor: Actor
) -> bool:
    """Change it; False where it is so already. An empty ``url`` keeps the address.

    What waits is sent to the new address, as it was written. Raises PermissionDenied, or
    places.WrongPlaceError for the URL.
    """
    policy.require(policy.may_manage, actor.user, webhook.team)
    place = places.parse(url, settings.WEBHOOK_NETWORKS) if url else None
    with transaction.atomic():
        row = Webhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
        changes = []
        if name and name != row.name:
            changes.append(f"named {isolated(name)}")
            row.name = name
        if place is not None:
            changes.append(f"to {place.header}")
            row.address, row.host = signing.lock(url), place.header[:260]
            # Another receiver need not wait for the troubles of the one before.
            row.tries, row.not_before, row.failing_since, row.trouble = 0, None, None, ""
        if form != row.format:
            changes.append(f"written for {form}")
            row.format = form
        if set(kinds) != set(row.kinds):
            changes.append(f"for {', '.join(kinds)}")
            row.kinds = list(kinds)
        if not changes:
            return False
        row.save()
        record_change(webhook, "; ".join(changes), actor=actor)
    return True
