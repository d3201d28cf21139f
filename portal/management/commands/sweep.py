"""Everything the scheduler does: once and now, or again and again."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from portal import gateway, tasks, traces
from portal.audit import SYSTEM
from portal.checks import exit_unless_sound
from portal.flows.stream_audit import stream_audit
from portal.flows.sync_catalog import sync_catalogs
from portal.flows.take_inventory import take_inventory
from portal.metrics import aws
from portal.models import ServiceAccount
from portal.scheduler import (
    ASK_THE_TIME_SECONDS,
    TABLE,
    Beside,
    CatalogReaders,
    Job,
    Scheduler,
    ask_the_time,
    run_all,
)


class Command(BaseCommand):
    help = "Moves every token that nobody else has moved, and reads the catalog."
    requires_system_checks = ()  # they import every page, and this serves none

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every",
            type=float,
            metavar="SECONDS",
            help="go on until stopped, with this pause between two turns",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["every"] is None:
            _once()
        else:
            exit_unless_sound()
            traces.begin("scheduler")
            aws.keep_written()
            _until_stopped(options["every"])


def _once() -> None:
    ask_the_time()
    tasks.follow_up(run_all(TABLE))
    sync_catalogs(actor=SYSTEM)
    _follow_catalog()
    if settings.INVENTORY_SECONDS:
        # Now, and so not by the workers.
        for pk in ServiceAccount.objects.to_list().values_list("pk", flat=True):
            take_inventory(pk)
    stream_audit()
    gateway.note_heard()
    aws.write()


def _follow_catalog() -> None:
    """By its name, for a production is installed without the embedded default."""
    if settings.EMBEDDED:
        import_string("portal.embedded.preparation.follow_catalog")()


def _until_stopped(pause: float) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    time_asker = Beside(ask_the_time, "have AWS say what time it is")
    jobs = [
        Job(f"begin to {time_asker.name}", time_asker.turn, ASK_THE_TIME_SECONDS),
        *TABLE,
        Job("begin to read catalogs that are due", CatalogReaders().turn),
    ]
    if settings.AUDIT_STREAM:
        sender = Beside(stream_audit, "send the audit log elsewhere")
        jobs.append(Job(f"begin to {sender.name}", sender.turn))
    if settings.EMBEDDED:
        jobs.append(Job("let the demo's grants follow the catalog", _follow_catalog, 10.0))
    scheduler = Scheduler(jobs)
    while not stop.wait(pause):
        scheduler.turn()
