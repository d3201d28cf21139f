"""Everything the scheduler does: once and now, or again and again."""

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from portal import tasks
from portal.audit import SYSTEM
from portal.flows.sweep import sweep
from portal.flows.sync_catalog import sync_catalog
from portal.grafana.errors import GrafanaError
from portal.models import Connection, Heartbeat

SYNC_SECONDS = 300.0
HEARTBEAT_SECONDS = 20.0

log = logging.getLogger(__name__)


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
            tasks.follow_up(sweep())
            self._sync()
            self._beat()
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        due = {self._beat: (HEARTBEAT_SECONDS, 0.0), self._sync: (SYNC_SECONDS, time.monotonic())}
        while not stop.wait(pause):
            try:
                tasks.follow_up(sweep())
                for job, (period, last) in due.items():
                    if not last or time.monotonic() - last >= period:
                        due[job] = (period, time.monotonic())
                        job()
            except DatabaseError as error:
                # The database comes back or it does not: either way there is a next sweep.
                log.warning("sweep.no_database", extra={"error": type(error).__name__})
                connection.close()

    def _sync(self) -> None:
        for aws in Connection.objects.all():
            try:
                sync_catalog(aws, actor=SYSTEM)
            except GrafanaError as error:
                log.warning("sync.failed", extra={"connection": aws.name, "code": error.code})
            else:
                Heartbeat.beat("aws")

    def _beat(self) -> None:
        Heartbeat.beat("scheduler")
        tasks.ask_for_heartbeat()
