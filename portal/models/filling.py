"""How full workspaces are: what counts against AMG's quota of each, by what it is."""

import time
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.db.models import Case, Count, F, Value, When

from portal.models.inventory import ListedToken
from portal.models.lookups import HOLDS_NAME
from portal.models.states import LIVE, State
from portal.models.tokens import Token

QUICK = 0.01
KEPT = 10
"""Seconds: where there are so many tokens that counting them takes longer than the former, that is
done once in the latter."""
NEARLY_FULL = 0.8
"""Of the quota: people are warned from here on."""
_KEY = "tokens-of-workspaces"

Counts = dict[tuple[int, str], int]
"""By a workspace's key and ``live``, ``expired``, ``foreign`` or, for the promise of a token, an
empty text."""


def counted_lately() -> Counts:
    """Of all workspaces, at most KEPT seconds old: for monitors that ask again and again."""
    counts: Counts | None = cache.get(_KEY)
    if counts is None:
        begun = time.monotonic()
        counts = count_by_workspace()
        if time.monotonic() - begun > QUICK:
            cache.set(_KEY, counts, KEPT)
    return counts


def count_by_workspace() -> Counts:
    """Of all workspaces, as of now."""
    found: Counts = {}
    # Of all tokens only those that AMG may have are read, by a partial index: no other index has
    # a sum or a text that is computed.
    kind = Case(
        When(state__among=LIVE, then=Value("live")),
        When(state__among=[State.EXPIRED], then=Value("expired")),
        default=Value(""),
    )
    here = Token.objects.filter(HOLDS_NAME, workspace__gt=0)
    counted = here.order_by().values_list(F("workspace") + 0, kind).annotate(number=Count("*"))
    for workspace, name, number in counted:
        found[workspace, name] = number
    foreign = ListedToken.objects.count_foreign()
    for workspace, number in foreign.values_list("service_account__workspace", "number"):
        found[workspace, "foreign"] = number
    return found


@dataclass(frozen=True, slots=True)
class Filling:
    """What fills one workspace's quota; requests that are under way will."""

    live: int
    requested: int
    expired: int
    foreign: int

    @classmethod
    def of(cls, workspace_id: int, counts: Counts) -> "Filling":
        kinds = ("live", "", "expired", "foreign")
        return cls(*(counts.get((workspace_id, kind), 0) for kind in kinds))

    @property
    def quota(self) -> int:
        return int(settings.TOKEN_QUOTA)

    @property
    def used(self) -> int:
        return self.live + self.requested + self.expired + self.foreign

    @property
    def free(self) -> int:
        return max(0, self.quota - self.used)

    @property
    def is_nearly_full(self) -> bool:
        return self.used >= NEARLY_FULL * self.quota
