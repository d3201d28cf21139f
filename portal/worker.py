"""What a worker does as it begins and ends; Celery imports it beside the tasks."""

import gc
import logging
from typing import Any

from celery.signals import worker_init, worker_process_init, worker_process_shutdown
from django.db import DatabaseError, InterfaceError

from portal import gateway, traces
from portal.checks import exit_unless_sound
from portal.metrics import aws
from portal.models import Connection

log = logging.getLogger(__name__)


@worker_init.connect
def check_before_the_first_task(**_: Any) -> None:
    exit_unless_sound()


@worker_init.connect
def begin_traces(**_: Any) -> None:
    traces.begin("worker")


@worker_init.connect
def prepare_clients(**_: Any) -> None:
    """Before the workers fork, so that none of them makes its first person wait for it."""
    try:
        gateway.prepare(Connection.objects.all())
    except (DatabaseError, InterfaceError) as error:
        log.warning("clients.not_prepared", extra={"error": type(error).__name__})
    # What is loaded now stays: collecting garbage need not walk through it, nor copy its pages.
    gc.freeze()


@worker_process_init.connect
def keep_metrics_written(**_: Any) -> None:
    aws.keep_written()


@worker_process_shutdown.connect
def write_metrics_once_more(**_: Any) -> None:
    aws.write_and_close()
