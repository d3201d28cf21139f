"""How the web process runs, embedded and in production.

Two processes a core of a small machine, because each has one interpreter lock. Threads, because
most requests of a busy moment are long polls that wait; a little more connections than threads, so
that nobody queues behind them unseen.
"""

import gc
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from gunicorn.workers.gthread import ThreadWorker

chdir = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, chdir)

from portal import logs, settings  # noqa: E402 (wherever this is started from)
from portal.views.refused import refusal  # noqa: E402

REFUSALS = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Says in our words what is too long for it; people meet that with links and cookies."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        status = REFUSALS.get(type(exc))
        if status is None:
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("Invalid request from ip=%s: %s", addr[0] if addr else "", exc)
        try:
            util.write_nonblock(client, refusal(status))
        except OSError:
            self.log.debug("Failed to send error message.")


wsgi_app = "portal.wsgi"
worker_class = Worker
workers = 4
threads = 24
worker_connections = 32
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


def when_ready(_: Any) -> None:
    """Before the forks: what is loaded stays, and collecting garbage need not walk through it."""
    gc.freeze()


def post_fork(_: Any, __: Any) -> None:
    """Some pages have AWS asked."""
    # Once Django is set up, which importing this file is not.
    from portal.metrics import aws  # noqa: PLC0415

    aws.keep_written()
