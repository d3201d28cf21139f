"""A part that is away is logged once, not once for everybody who asks for it."""

import logging
import threading
import time

QUIET_SECONDS = 60.0
"""Trouble after so long without any is a new incident, and so logged again, by default."""
LONGEST_REASON = 400

log = logging.getLogger(__name__)


class Incident:
    """Trouble with one part, in this process: ``<part>.unavailable``, then ``<part>.available``.

    ``quiet`` is how many seconds without trouble end an incident.
    """

    def __init__(self, part: str, *, quiet: float = QUIET_SECONDS) -> None:
        self.part = part
        self._quiet = quiet
        self._lock = threading.Lock()
        self._began = self._last = 0.0
        self._count = 0
        self._is_misconfigured = False

    @property
    def is_on(self) -> bool:
        return bool(self._count)

    def note(self, error: BaseException, *, is_misconfigured: bool = False) -> None:
        """Count this; log it if it begins an incident.

        A setting that is wrong is an error, and logged also where the part was merely away before.
        """
        with self._lock:
            now = time.monotonic()
            known = self._count and now - self._last < self._quiet
            if not known:
                self._began, self._count = now, 0
            self._last = now
            self._count += 1
            if known and is_misconfigured == self._is_misconfigured:
                return
            self._is_misconfigured = is_misconfigured
        log.log(
            logging.ERROR if is_misconfigured else logging.WARNING,
            "%s.misconfigured" if is_misconfigured else "%s.unavailable",
            self.part,
            extra={"error": type(error).__name__, "reason": one_line(error)},
        )

    def over(self) -> None:
        """It works again. Costs nothing where there was no trouble."""
        if not self._count:
            return
        with self._lock:
            count, self._count = self._count, 0
            seconds = time.monotonic() - self._began
        if count:
            extra = {"failures": count, "seconds": round(seconds, 1)}
            log.info("%s.available", self.part, extra=extra)


def one_line(error: BaseException) -> str:
    """What an error says, on one line. Those of libpq and redis-py hold no password."""
    text = " ".join(str(error).split())
    return text[:LONGEST_REASON] or type(error).__name__
