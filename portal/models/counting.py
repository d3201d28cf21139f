"""How many tokens there are by state, for monitors that ask every few seconds.

What is open is few, and counted each time. What has ended only grows: it is counted once, and
afterwards what has ended since (docs/decisions/0020).
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import TypedDict

from django.core.cache import cache
from django.db.models import Count

from portal.models.lookups import HAS_ENDED
from portal.models.queries import TokenQuerySet
from portal.models.states import OPEN
from portal.models.tokens import Token

SETTLED = timedelta(minutes=5)
"""No transaction takes so long: what ended before that is all there."""
MARGIN = timedelta(days=1)
"""Beyond the first end, and beyond now, whatever a clock says."""
KEPT = timedelta(hours=1)
"""After which all is counted anew, whatever may have been deleted or restored meanwhile."""
_KEY = "tokens-that-have-ended"


class _Sum(TypedDict):
    """What had ended ``before`` a moment, as it was summed up since all was counted (``begun``).

    ``oldest`` is when the first of them ended: once old rows are deleted, it is another.
    """

    begun: datetime
    before: datetime
    oldest: datetime | None
    counts: dict[str, int]


def count_by_state() -> dict[str, int]:
    """Every state that a token is in, with how many are."""
    now = Token.objects.database_now()
    ended = Token.objects.filter(HAS_ENDED)
    known = _sum(ended, now)
    counts = _grouped(Token.objects.filter(state__in=OPEN)) + Counter(known["counts"])
    return dict(counts + _between(ended, known["before"], now + MARGIN))


def _sum(ended: TokenQuerySet, now: datetime) -> _Sum:
    """The sum so far, brought up to what is settled. The cache may forget it at any time."""
    settled = now - SETTLED
    oldest = ended.order_by("state_at").values_list("state_at", flat=True).first()
    known: _Sum | None = cache.get(_KEY)
    if known and (
        known["oldest"] != oldest
        or not now - KEPT < known["begun"] <= now
        or known["before"] > settled
    ):
        known = None
    if known is None:
        begin = oldest - MARGIN if oldest else settled
        known = _Sum(begun=now, before=begin, oldest=oldest, counts={})
    counts = Counter(known["counts"]) + _between(ended, known["before"], settled)
    known = _Sum(begun=known["begun"], before=settled, oldest=oldest, counts=dict(counts))
    cache.set(_KEY, known, KEPT.total_seconds())
    return known


def _between(ended: TokenQuerySet, since: datetime, until: datetime) -> Counter[str]:
    """Bounded on both sides: with one bound, SQLite would rather read all rows by their state."""
    return _grouped(ended.filter(state_at__gte=since, state_at__lt=until))


def _grouped(tokens: TokenQuerySet) -> Counter[str]:
    return Counter(dict(tokens.order_by().values_list("state").annotate(number=Count("*"))))
