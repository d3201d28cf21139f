"""Which of AMG's lists of tokens workers are to read next (portal.scheduler).

AWS's limits are of each account and region, so connections are read side by side, each at a pace of
its own (docs/decisions/0064). What people wait for goes between: see portal.places.
"""

import time
from collections import Counter
from datetime import timedelta
from functools import cached_property

from django.conf import settings
from django.db.models import Count, F, Q
from django.db.models.functions import Now

from portal import places
from portal.life import Effects
from portal.models import Connection, ServiceAccount, State, Token
from portal.models.catalog import ServiceAccountQuerySet
from portal.models.wanted import wanted_accounts

MOST_LISTS = 6
"""Of one connection in a turn of the scheduler, which takes two seconds: AWS documents 5 calls a
second where it documents any, and people call in the same account."""
MOST_WANTED = 8
"""Likewise, where somebody waits for them."""
MOST_IN_A_TURN = 16
"""Of all connections, for each place that may read: more would only wait for one."""
LIST_AGAIN_SECONDS = 60.0
UNDER_WAY_SECONDS = 30.0
"""For so long one that was asked for and has not come counts as under way, or as in trouble."""
SPREAD_SECONDS = 10.0
CATCH_UP = 1.25
"""How much faster than it must be a regular reading goes that is late, or has come in a bunch."""
LETS_GO_FIRST = 1.0
"""Seconds that one reading gives way at most, to requests of the last UNDER_WAY_SECONDS."""
_AT_A_TIME = 500


def accounts_to_list() -> Effects:
    """Service accounts whose tokens somebody wants to have listed, that were not listed for a
    while, or never; each of them is marked as asked for."""
    picked = _Picked()
    picked.take(_wanted(), each=MOST_WANTED)
    if settings.INVENTORY_SECONDS:
        rows = ServiceAccount.objects.to_list()
        picked.take(_due(rows), each=MOST_LISTS, most=_room())
        picked.take(rows.filter(list_asked_at=None), each=MOST_LISTS)
    if picked.found:
        ServiceAccount.objects.filter(pk__in=picked.found).update(list_asked_at=Now())
    return Effects(inventory=picked.found)


def let_people_go_first() -> None:
    """Wait a little while somebody's key is being made: a list takes the same processors."""
    until = time.monotonic() + LETS_GO_FIRST
    lately = Now() - timedelta(seconds=UNDER_WAY_SECONDS)
    asked = Token.objects.filter(
        state__in=(State.QUEUED, State.ISSUING), queued_at__gt=lately
    ).due()
    while time.monotonic() < until and asked.exists():
        time.sleep(0.05)


def _wanted() -> ServiceAccountQuerySet:
    """Whose lists somebody waits for; one that was asked for and did not come, again."""
    missing = Q(listed_at=None) | Q(listed_at__lt=F("list_wanted_at"))
    not_asked = (
        Q(list_asked_at=None)
        | Q(list_asked_at__lt=F("list_wanted_at"))
        | Q(list_asked_at__lt=Now() - timedelta(seconds=LIST_AGAIN_SECONDS))
    )
    return wanted_accounts().filter(missing & not_asked)


def _due(rows: ServiceAccountQuerySet) -> ServiceAccountQuerySet:
    return rows.filter(list_asked_at__lt=Now() - timedelta(seconds=settings.INVENTORY_SECONDS))


def _room() -> int:
    """How many regular readings may begin: lists that were first read in a bunch, or that an outage
    has made late together, are spread over the time between two readings."""
    if not _due(ServiceAccount.objects.all()).exists():
        return 0
    of_all = ServiceAccount.objects.count() * SPREAD_SECONDS * CATCH_UP
    lately = Now() - timedelta(seconds=SPREAD_SECONDS)
    begun = ServiceAccount.objects.filter(list_asked_at__gt=lately).count()
    return -int(-of_all // settings.INVENTORY_SECONDS) - begun


class _Picked:
    """What is to be read, and how much of each connection is under way with it."""

    def __init__(self) -> None:
        self.found: list[int] = []
        self._left = MOST_IN_A_TURN * places.readings(settings.WORKER_PROCESSES)
        lately = Now() - timedelta(seconds=UNDER_WAY_SECONDS)
        has_not_come = Q(listed_at=None) | Q(listed_at__lt=F("list_asked_at"))
        rows = ServiceAccount.objects.filter(has_not_come, list_asked_at__gt=lately).order_by()
        counted = rows.values_list("workspace__connection").annotate(number=Count("pk"))
        self._under_way: Counter[int] = Counter(dict(counted))
        put_aside = places.readings_put_aside()
        for pk, name in self._connections:
            self._under_way[pk] = max(self._under_way[pk], put_aside[name])

    def take(self, rows: ServiceAccountQuerySet, *, each: int, most: int | None = None) -> None:
        """Add ``most`` of those that have waited longest, so that of no connection more than
        ``each`` are under way."""
        left = min(self._left, self._left if most is None else most)
        while left > 0 and (free := self._free(each)):
            further = rows.filter(workspace__connection__in=free).exclude(pk__in=self.found)
            ordered = further.order_by("list_asked_at", "pk")
            some = list(ordered.values_list("pk", "workspace__connection")[:_AT_A_TIME])
            for pk, connection in some:
                if left and self._under_way[connection] < each:
                    self._under_way[connection] += 1
                    self.found.append(pk)
                    left -= 1
                    self._left -= 1
            if len(some) < _AT_A_TIME:
                break

    def _free(self, each: int) -> list[int]:
        """Connections of which more may be read."""
        return [pk for pk, _ in self._connections if self._under_way[pk] < each]

    @cached_property
    def _connections(self) -> list[tuple[int, str]]:
        return list(Connection.objects.values_list("pk", "name"))
