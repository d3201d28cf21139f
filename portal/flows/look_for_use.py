"""Whoever has just taken a key waits to see that something uses it: AMG's list is read sooner."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from portal.life import Effects
from portal.models import ServiceAccount, State, Token

WAITED_FOR = timedelta(hours=1)
"""After its key was taken; then it is seen when all lists are read."""
BETWEEN = timedelta(minutes=1)
"""Of one account, however many wait for tokens of it."""


def waits_for_first_use(token: Token) -> bool:
    """Whether its key was just taken, and no use has been told of."""
    return (
        settings.INVENTORY_SECONDS > 0
        and token.state == State.ACTIVE
        and token.last_used_at is None
        and token.delivered_at is not None
        and token.delivered_at > timezone.now() - WAITED_FOR
    )


def look_for_use(token: Token) -> Effects:
    """Have the list of the token's account read now, unless it was a moment ago."""
    if not waits_for_first_use(token):
        return Effects()
    a_while_ago = Q(list_asked_at=None) | Q(list_asked_at__lt=Now() - BETWEEN)
    account = ServiceAccount.objects.filter(a_while_ago, pk=token.service_account_id)
    if not account.update(list_asked_at=Now()):
        return Effects()
    return Effects(inventory=[token.service_account_id])
