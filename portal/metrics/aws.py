"""Writes down what this process has seen of AWS, and refused."""

import atexit
import contextlib
import logging
import threading
import time

from django.db import DatabaseError, InterfaceError, connection, transaction

from portal.models import Tally
from portal.observing import seen

EVERY = 5.0
"""Seconds: numbers are to be 15 seconds old at most."""

log = logging.getLogger(__name__)


def write() -> None:
    """Add what was seen to what the database has; what it does not take is kept until later."""
    numbers = seen.take()
    if not numbers:
        return
    try:
        with transaction.atomic():
            Tally.objects.add(numbers)
    except (DatabaseError, InterfaceError) as error:
        seen.give_back(numbers)
        log.warning("metrics.not_written", extra={"error": type(error).__name__})


def keep_written() -> None:
    """Write every few seconds from now on, in a thread beside whatever this process does.

    To be called after forks: threads don't survive them.
    """
    threading.Thread(target=_go_on, name="metrics", daemon=True).start()
    atexit.register(write_and_close)


def _go_on() -> None:
    while True:
        time.sleep(EVERY)
        write_and_close()


def write_and_close() -> None:
    """Likewise, and leave this thread without a connection."""
    try:
        write()
    finally:
        with contextlib.suppress(DatabaseError, InterfaceError):
            connection.close()
