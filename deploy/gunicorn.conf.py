"""How the web process runs, embedded and in production.

Threads, because most requests of a busy moment are long polls that wait; a little more connections
than threads, so that nobody queues behind them unseen.
"""

import gc
from typing import Any

wsgi_app = "portal.wsgi"
worker_class = "gthread"
workers = 2
threads = 32
worker_connections = 40
preload_app = True  # one import for both, and their memory is shared
worker_tmp_dir = "/dev/shm"  # noqa: S108 (gunicorn's heartbeat file: memory, not a disk that stalls)
timeout = 60
graceful_timeout = 20
keepalive = 75
control_socket_disable = True  # nobody steers it from outside
accesslog = None  # django-structlog writes one event a request


def when_ready(_: Any) -> None:
    """Before the forks: what is loaded stays, and collecting garbage need not walk through it."""
    gc.freeze()
