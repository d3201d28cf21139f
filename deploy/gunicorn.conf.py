"""How the web process runs, embedded and in production.

Two processes a core of a small machine, because each has one interpreter lock. Threads, because
most requests of a busy moment are long polls that wait; a little more connections than threads, so
that nobody queues behind them unseen.
"""

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

chdir = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, chdir)

from portal.serving import credentials  # noqa: E402 (wherever this is started from)

credentials.leave_behind()

from portal import logs, settings, static_versions  # noqa: E402 (in an environment that is the web's own)
from portal.parents import die_with_parent  # noqa: E402
from portal.serving.worker import Worker  # noqa: E402

wsgi_app = "portal.wsgi"
worker_class = Worker
workers = 4
threads = 24
worker_connections = 32  # whose requests have come whole, or have only just begun
preload_app = True  # one import for all, and their memory is shared
worker_tmp_dir = "/dev/shm"  # noqa: S108 (gunicorn's heartbeat file: memory, not a disk that stalls)
timeout = 60
graceful_timeout = 20
keepalive = 75
# A link that prefills the form with the longest name and reason is 7,800 bytes long where each
# letter is a pictogram; 8,190 is gunicorn's own most. Other sites of a company set cookies, too.
limit_request_line = 8190
limit_request_field_size = 16_380
control_socket_disable = True  # nobody steers it from outside
accesslog = None  # django-structlog writes one event a request
# It would believe whoever calls from this machine; whose headers count, Django's settings say.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""


class MaskedLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Writes gunicorn's own events like all others: its words about a bad request quote it."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(logs.formatter(as_json=settings.LOGGING["as_json"]))


logger_class = MaskedLogger


def on_starting(server: Any) -> None:
    if names := credentials.left_behind():
        server.log.warning(
            "AWS's credentials (%s) are left out of this process, which calls no AWS: give them to "
            "worker and scheduler alone (docs/OPERATIONS.md)",
            names,
        )


def post_fork(_server: Any, _worker: Any) -> None:
    """A master that was killed can't end its workers, and its successor needs their port."""
    die_with_parent(signal.SIGKILL)


def post_worker_init(worker: Any) -> None:
    worker.wsgi.begin()


def when_ready(_: Any) -> None:
    """Before the forks: what is loaded stays, and collecting garbage need not walk through it."""
    if not settings.EMBEDDED:
        static_versions.publish()
    gc.freeze()


STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def _hold_stops() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)


def _let_stops_through() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def _end_when_asked() -> None:
    for number in STOPS:
        signal.signal(number, signal.SIG_DFL)
    _let_stops_through()


# Until a worker has signal handlers of its own, it has the master's, which write down what came and
# go on: a stop that meets a start would wait for such a worker as long as for a slow request.
os.register_at_fork(
    before=_hold_stops, after_in_parent=_let_stops_through, after_in_child=_end_when_asked
)
