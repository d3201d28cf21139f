"""What this process has seen of AWS's answers, and refused, and has not been written down yet.

Only the process that makes a call knows how long it took. portal.metrics.aws adds what is kept here
to the database, because the hosts that call AWS are not the ones that are scraped.
"""

import os
import re
import threading
from collections import Counter
from collections.abc import Sequence

CALL_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
"""Seconds; the upper bounds of ``portal_aws_call_seconds``."""
REFUSALS = ("forbidden", "hidden", "limited")
ANSWERED, TIMED_OUT, CUT_OFF = "200", "timeout", "connection"
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,59}|200")

Series = tuple[str, str]
"""A metric's name, and its labels' values, separated by tabs."""


class Seen:
    """Numbers that are to be added to those in the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Counter[Series] = Counter()

    def aws_call(self, operation: str, code: str, seconds: float) -> None:
        """One call to AWS: AWS's name of the operation, and what came of it."""
        code = code if _CODE.fullmatch(code) else "other"
        with self._lock:
            self._numbers["portal_aws_calls_total", f"{operation}\t{code}"] += 1
            observe(
                self._numbers, "portal_aws_call_seconds", seconds, CALL_BOUNDS, labels=operation
            )

    def refusal(self, kind: str) -> None:
        """One request that was refused, by what portal.views.refusals calls it."""
        with self._lock:
            self._numbers["portal_refusals_total", kind] += 1

    def take(self) -> dict[Series, float]:
        """All of it, which is then the caller's to keep."""
        with self._lock:
            numbers, self._numbers = self._numbers, Counter()
        return dict(numbers)

    def give_back(self, numbers: dict[Series, float]) -> None:
        """What ``take`` gave and could not be kept."""
        with self._lock:
            self._numbers.update(numbers)

    def forget(self) -> None:
        """Begin anew, in a child: what its parent has seen, the parent tells."""
        self._lock = threading.Lock()
        self._numbers = Counter()


def observe(
    numbers: "Counter[Series]",
    metric: str,
    seconds: float,
    bounds: Sequence[float],
    *,
    labels: str = "",
) -> None:
    """Add one duration to a histogram: to its bucket alone, and to its sum."""
    bound = next((str(bound) for bound in bounds if seconds <= bound), "+Inf")
    numbers[f"{metric}_bucket", f"{labels}\t{bound}" if labels else bound] += 1
    numbers[f"{metric}_sum", labels] += max(seconds, 0.0)  # type: ignore[assignment]  # a Counter of floats too


seen = Seen()
os.register_at_fork(after_in_child=seen.forget)
