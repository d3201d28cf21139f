"""Lists of AMG's that somebody wants to have read now."""

from datetime import timedelta

from django.db.models.functions import Now

from portal.models.catalog import ServiceAccount, ServiceAccountQuerySet

WANTED_FOR = timedelta(minutes=15)
"""How long somebody's wish is followed: AWS may refuse a list for ever."""


def wanted_accounts() -> ServiceAccountQuerySet:
    """Accounts whose tokens somebody has lately asked to have listed at once."""
    return ServiceAccount.objects.filter(list_wanted_at__gt=Now() - WANTED_FOR)
