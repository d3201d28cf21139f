"""What time it is at AWS, as its last answer told this process.

Every answer has a ``Date``. It is in whole seconds, and AWS wrote it at some moment between our
request's leaving and its answer's coming. Those two are kept by a clock that nobody sets, so that
the time of day at AWS is known afterwards, too, whatever becomes of our own.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
WHOLE_SECOND = timedelta(seconds=1)
"""What a ``Date`` leaves out is less."""


def steady() -> float:
    """Seconds by a clock that only ever goes on: no correction of the time of day moves it, and it
    goes on (on Linux) while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer's ``Date``, and when by ``steady`` its request was sent and it had come."""

    date: datetime
    sent: float
    received: float

    def earliest(self, now: float) -> datetime:
        """The earliest that it can be at AWS when ``steady`` says ``now``."""
        return self.date + timedelta(seconds=now - self.received)

    def latest(self, now: float) -> datetime:
        """The latest that it can be."""
        return self.date + WHOLE_SECOND + timedelta(seconds=now - self.sent)


class _Last:
    heard: Heard | None = None
    told_no_time = False


def note(date: datetime | None, *, sent: float, received: float) -> None:
    """Keep what an answer of AWS said; None where it had no ``Date``, as no real one has."""
    if date is None:
        _Last.told_no_time = True
    else:
        _Last.heard = Heard(date, sent, received)


def last() -> Heard | None:
    """The last answer that told the time; None before the first one."""
    return _Last.heard


def tells_no_time() -> bool:
    """Whether AWS has answered, and never with a ``Date``."""
    return _Last.told_no_time and _Last.heard is None


def forget() -> None:
    """Begin anew."""
    _Last.heard, _Last.told_no_time = None, False
