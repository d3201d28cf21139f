"""The web server alone, with production's configuration, for tests of how it speaks HTTP."""

import contextlib
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.product import ROOT, clean_environment, prepared, within
from tests.servers import free_port

HOST = "Host: tokens.example.com"
CONFIG = ROOT / "deploy" / "gunicorn.conf.py"


@dataclass(slots=True)
class Web:
    port: int
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, *lines: str) -> str:
        """Send these lines as they are, and read the answer until the server closes."""
        with self.connect() as sock:
            sock.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            return read(sock).decode()

    def answers(self) -> bool:
        try:
            return " 200 OK" in self.ask("GET /healthz HTTP/1.1", HOST)
        except OSError:
            return False


def read(sock: socket.socket) -> bytes:
    """What comes until the server closes."""
    answer = b""
    while part := sock.recv(65536):
        answer += part
    return answer


@contextlib.contextmanager
def serving(
    directory: Path, tree: Path = ROOT, config: Path | None = None, /, **settings: str
) -> Iterator[Web]:
    """One on an empty database of its own, started from somewhere else.

    ``tree`` is the version that is started; ``config`` may be another than its own.
    """
    config = config or tree / CONFIG.relative_to(ROOT)
    web = Web(free_port(), directory / "log")
    environment = {
        **clean_environment(),
        "PORTAL_DATA_DIR": str(directory / "data"),
        "PORTAL_STATIC_ROOT": str(directory / "static"),
        "DATABASE_URL": f"sqlite:///{directory}/portal.sqlite3",
        "SECRET_KEY": "a secret that nobody else has, 1",
        "AUDIT_KEY": "a key that nobody else has, 2345",
        "ALLOWED_HOSTS": "tokens.example.com",
        "PORTAL_ORIGIN": "https://tokens.example.com",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        "EMAIL_URL": "smtp://127.0.0.1:1",
        **settings,
    }
    shutil.copy(prepared() / "portal.sqlite3", directory)
    if tree == ROOT:
        shutil.copytree(prepared() / "static", directory / "static", dirs_exist_ok=True)
    else:
        command = (sys.executable, str(tree / "manage.py"), "collectstatic", "--no-input")
        subprocess.run(command, env=environment, check=True, capture_output=True)
    with web.log.open("wb") as log:
        web.process = subprocess.Popen(
            [
                *(str(Path(sys.executable).parent / "gunicorn"), "--bind", f"127.0.0.1:{web.port}"),
                *("--config", str(config)),
            ],
            cwd=directory,
            env=environment,
            stderr=log,
        )
    try:
        process = web.process
        assert within(30, lambda: web.answers() or process.poll() is not None), web.log.read_text()
        assert process.poll() is None, web.log.read_text()
        yield web
    finally:
        web.process.terminate()
        web.process.wait(30)
