"""Everything the scheduler does: once and now, or again and again."""

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, connection

from portal import gateway, outage, tasks
from portal.audit import SYSTEM
from portal.audit.publishing import publish_head
from portal.embedded import preparation
from portal.flows.begin import begin
from portal.flows.sweep import sweep
from portal.flows.sync_catalog import SYNC_SECONDS, sync_catalogs
from portal.flows.take_inventory import take_inventory
from portal.incidents import Incident
from portal.models import Connection, Heartbeat, ServiceAccount

SYNC_AGAIN_SECONDS = 15.0
"""After the start, and after a reading that missed a part; twice as long each time it does so."""
HEARTBEAT_SECONDS = 20.0
ASK_THE_TIME_SECONDS = 30.0
"""Between two looks at whether AWS has to be asked what time it is."""

log = logging.getLogger(__name__)
_incident = Incident("sweep")


class Command(BaseCommand):
    help = "Moves every token that nobody else has moved, and reads the catalog."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every",
            type=float,
            metavar="SECONDS",
            help="go on until stopped, with this pause between two sweeps",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        pause: float | None = options["every"]
        if pause is None:
            gateway.ask_the_time(Connection.objects.all())
            tasks.follow_up(sweep())
            _sync()
            self._take_inventory()
            self._beat()
            publish_head()
            return
        begin()
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        # Beside the sweeps: AWS may be slow, and they must not wait for it.
        for job in (_sync_again_and_again, _ask_the_time_again_and_again):
            threading.Thread(target=job, args=(stop,), daemon=True).start()
        beat_at, publish_at = 0.0, 0.0
        while not stop.wait(pause):
            try:
                # First, because it is what tells of a log that takes no events any more.
                if time.monotonic() >= publish_at:
                    publish_head()
                    publish_at = time.monotonic() + settings.AUDIT_HEAD_SECONDS
                tasks.follow_up(sweep())
                if time.monotonic() >= beat_at:
                    self._beat()
                    beat_at = time.monotonic() + HEARTBEAT_SECONDS
            except (DatabaseError, InterfaceError) as error:
                # The database comes back or it does not: either way there is a next sweep.
                if outage.is_outage(error):
                    outage.note(error)
                else:
                    _incident.note(error, is_misconfigured=True)
                    connection.close()
            else:
                outage.over(has_written=False)
                _incident.over()

    def _take_inventory(self) -> None:
        """Now, and so not by the workers."""
        if settings.INVENTORY_SECONDS:
            for pk in ServiceAccount.objects.to_list().values_list("pk", flat=True):
                take_inventory(pk)
        gateway.note_heard()

    def _beat(self) -> None:
        Heartbeat.beat("scheduler")
        outage.over(has_written=True)
        tasks.ask_for_heartbeat()


def _sync_again_and_again(stop: threading.Event) -> None:
    pause = again = SYNC_AGAIN_SECONDS
    while not stop.wait(pause):
        well = False
        try:
            well = _sync()
        except (DatabaseError, InterfaceError) as error:
            outage.note(error)
        except Exception:
            # Nobody else would start this thread again.
            log.exception("sync.failed")
        finally:
            connection.close()
        if well:
            pause, again = SYNC_SECONDS, SYNC_AGAIN_SECONDS
        else:
            pause, again = again, min(2 * again, SYNC_SECONDS)


def _ask_the_time_again_and_again(stop: threading.Event) -> None:
    """At once, so that what is over need not wait for the first reading of the catalog."""
    while True:
        try:
            gateway.ask_the_time(Connection.objects.all())
        except (DatabaseError, InterfaceError) as error:
            outage.note(error)
        except Exception:
            # Nobody else would start this thread again.
            log.exception("clock.not_asked")
        finally:
            connection.close()
        if stop.wait(ASK_THE_TIME_SECONDS):
            return


def _sync() -> bool:
    """Read the catalog; False when a part of it could not be read."""
    read = sync_catalogs(actor=SYSTEM)
    gateway.note_heard()
    preparation.follow_catalog()
    return not any(synced.unread for synced in read)
