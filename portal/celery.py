"""The Celery application: workers of tasks that carry an id and return nothing."""

import os
import sys
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import setup_logging
from django.conf import settings

# Celery warns root because of pickle; here nothing but JSON is accepted.
warnings.filterwarnings("ignore", category=SecurityWarning)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# Django's checks import every page: more than a second and 30 MB of a process that serves none.
# What a start relies on is asked by portal.checks; `migrate` and `check` run the others.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("portal")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    # Said twice more: Celery prefers the environment's variable, and reads that its own way.
    broker_read_url=settings.CELERY_BROKER_URL,
    broker_write_url=settings.CELERY_BROKER_URL,
    broker_use_ssl=settings.BROKER.kombu_tls,
    # A key must never lie in a result, and an id needs none.
    task_ignore_result=True,
    result_backend=None,
    task_serializer="json",
    accept_content=["json"],
    worker_concurrency=settings.WORKER_PROCESSES,
    worker_prefetch_multiplier=1,
    task_soft_time_limit=settings.TASK_TIME_LIMIT - 5,
    task_time_limit=settings.TASK_TIME_LIMIT,
    # A broker that is silent must not hang a submit: the sweep rings again.
    broker_transport_options={
        "socket_timeout": 2,
        "socket_connect_timeout": 1,
        "max_retries": 0,
    },
    task_publish_retry=False,
    # Nobody's key waits for a list: whatever else is in the broker goes first (0 is its default).
    task_routes={"portal.inventory": {"priority": 9}},
    # A worker, though, waits for its broker as long as it takes.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # A primary that is a read-only replica by now refuses; its name soon leads to the next primary.
    broker_channel_error_retry=True,
    # With remote control off, a worker shows by a heartbeat row that it lives.
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
)
if settings.DATABASE.get("CONN_MAX_AGE", 0) is None:
    # Celery closes the database after each task. That gives a pool its connection back; SQLite has
    # none, and opening the file again costs each token 2 ms.
    app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize
app.autodiscover_tasks()
app.autodiscover_tasks(related_name="worker")


@setup_logging.connect
def keep_django_logging(**_: Any) -> None:
    """Celery leaves logging alone when somebody answers this signal: Django has set it up."""
