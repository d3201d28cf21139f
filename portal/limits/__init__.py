"""How often somebody may do something. All limits stand in one table, portal.limits.table.

A limit is a bucket that leaks: each use fills it by one, and one runs out every so many seconds.
Buckets are rows, so that they are exact over any number of hosts and hold while the cache is away;
requests for tokens are counted by the tokens' own rows. ``PORTAL_RATE_LIMITS=off`` lifts them all.
"""

from portal.limits.table import Limit
from portal.limits.use import (
    LimitExceededError,
    add,
    check,
    check_requests,
    count_refusal,
    give_back,
    network,
    row_of,
    take,
)

__all__ = [
    "Limit",
    "LimitExceededError",
    "add",
    "check",
    "check_requests",
    "count_refusal",
    "give_back",
    "network",
    "row_of",
    "take",
]
