"""Time as a number, AWS's limit and the portal's pace: what ``bench.simulated`` is made of."""

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field

from portal import pace

Steps = Generator[float, None, None]
"""A process: it yields how many seconds pass until it goes on."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds for each step where nobody waits for anything."""

    create_at_aws: float = 0.1
    create_here: float = 0.054
    call_at_aws: float = 0.1
    list_here: float = 0.2
    catalog_call_here: float = 0.37
    refusal: float = 0.02


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated; ``limit`` is AWS's calls a second, all operations of an account and region
    together."""

    connections: int
    workspaces: int
    accounts: int
    hosts: int
    processes: int
    limit: float = 5.0
    inventory_seconds: float = 900.0
    costs: Costs = field(default_factory=Costs)


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Steps]] = []
        self._number = itertools.count()

    def begin(self, steps: Steps, at: float | None = None) -> None:
        heapq.heappush(self._due, (self.now if at is None else at, next(self._number), steps))

    def run(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            self.now, _, steps = heapq.heappop(self._due)
            seconds = next(steps, None)
            if seconds is not None:
                self.begin(steps, self.now + seconds)


class Bucket:
    """AWS's limit of an account and region: a bucket of so many calls that refills at that pace."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._capacity = self._left = max(1.0, per_second)
        self._seen = 0.0

    def take(self, now: float) -> int:
        """0 where the call is served; else the ``Retry-After``, in seconds."""
        filled = self._left + (now - self._seen) * self._per_second
        self._left, self._seen = min(self._capacity, filled), now
        if self._left >= 1:
            self._left -= 1
            return 0
        return math.ceil((1 - self._left) / self._per_second)


class Pace:
    """portal/pace.py's scripts, with the same constants."""

    def __init__(self) -> None:
        self.rate = self._next = self._grown = 0.0
        self._cut = -math.inf
        self._served: Counter[int] = Counter()

    def turn(self, now: float) -> tuple[float, float]:
        """Seconds until the next turn, and when that is."""
        if not self.rate or now - self._cut > pace.FORGOTTEN_AFTER:
            self.rate = 0.0
            return 0.0, now
        calm = max(1.0, ((now - self._cut) / pace.CALM_SECONDS) ** 2)
        rate = self.rate * (1 + pace.GROWTH_PER_SECOND * calm * (now - self._grown))
        turn = max(now, self._next)
        if turn - now <= pace.LONGEST_TURN:
            self.rate, self._next, self._grown = rate, turn + 1 / rate, now
        return turn - now, turn

    def served(self, now: float) -> None:
        self._served[int(now)] += 1
        if len(self._served) > 10:
            self._served = Counter({s: n for s, n in self._served.items() if s > now - 5})

    def throttled(self, now: float, at: float) -> None:
        if now - self._cut < 1 or at < self._cut:
            return
        served = max(self._served[int(now)], self._served[int(now) - 1])
        rate = self.rate or float(served)
        if served:
            rate = min(rate, served)
        self.rate = max(pace.SLOWEST, rate * pace.CUT)
        turn = max(now, self._next)
        self._next, self._grown, self._cut = turn + 1 / self.rate, now, now
