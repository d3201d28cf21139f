"""Somebody wants to have AMG's lists read now, and not when their turn comes."""

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

from portal import policy
from portal.audit import Actor
from portal.models import ServiceAccount, Token


def want_lists(accounts: QuerySet[ServiceAccount], *, actor: Actor) -> int:
    """Have the scheduler read the lists of these accounts first; returns how many there are.

    Of a lead, those that their teams are granted. Raises PermissionDenied for anybody else.
    """
    user = actor.user
    if user is None or not policy.may_read_again(user):
        raise PermissionDenied
    if not user.is_admin:
        accounts = accounts.filter(pk__in=policy.accounts_in_led_teams(user).values("pk"))
    # By the same clock, to the second on SQLite, as the reading that is waited for.
    return accounts.update(list_wanted_at=Token.objects.database_now())
