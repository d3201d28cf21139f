"""Real PostgreSQL and Redis for a test run, on free ports, gone afterwards."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

SECONDS = 30.0


def free_port() -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(is_ready: Callable[[], bool], process: "subprocess.Popen[bytes]", what: str) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        if is_ready():
            return
        time.sleep(0.05)
    raise RuntimeError(f"{what} did not start")


def _stop(process: "subprocess.Popen[bytes]", number: int) -> None:
    process.send_signal(number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    process.kill()
    process.wait()


class Postgres:
    """A cluster of its own in ``directory``; it syncs to disk like production."""

    def __init__(self, directory: Path, address: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.address = address
        self.data = directory / "postgres"
        self.user = pwd.getpwnam("postgres").pw_name if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://portal@{self.address}:{self.port}/postgres"

    def start(self) -> None:
        binaries = postgres_binaries()
        if not self.data.exists():
            self.data.mkdir(mode=0o700, parents=True)
            if self.user:
                shutil.chown(self.data, self.user, self.user)
                # initdb refuses root, and its user must reach the directory.
                for parent in self.data.parents[:2]:
                    parent.chmod(parent.stat().st_mode | 0o011)
            subprocess.run(
                [
                    binaries / "initdb",
                    "-D",
                    self.data,
                    "-U",
                    "portal",
                    "-A",
                    "trust",
                    "-E",
                    "UTF8",
                ],
                user=self.user,
                cwd="/",
                check=True,
                stdout=subprocess.DEVNULL,
            )
            if self.address != "127.0.0.1":
                with (self.data / "pg_hba.conf").open("a") as rules:
                    rules.write(f"host all all {self.address}/24 trust\n")
        self._process = subprocess.Popen(
            [
                *(binaries / "postgres", "-D", self.data, "-p", str(self.port)),
                *(
                    "-c",
                    f"listen_addresses={self.address}",
                    "-c",
                    f"unix_socket_directories={self.data}",
                ),
                *("-c", "max_connections=200", "-c", "log_min_messages=fatal"),
            ],
            user=self.user,
            cwd="/",
            stderr=subprocess.DEVNULL,
        )
        _wait_for(self._answers, self._process, "PostgreSQL")

    def _answers(self) -> bool:
        """Whether it takes connections: it listens before it does."""
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        if self._process is not None:
            _stop(self._process, 2)  # SIGINT: fast shutdown
            self._process = None

    def crash(self) -> None:
        """As when the host loses power, but for what the kernel has not written yet."""
        if self._process is not None:
            _stop(self._process, 3)  # SIGQUIT: immediate shutdown
            self._process = None

    def restart(self) -> None:
        """As ``pg_ctl restart -m fast`` does: every connection is ended, on the same port."""
        self.stop()
        self.start()


def postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path:
        return Path(on_path).parent
    if not found:
        raise RuntimeError("PostgreSQL's server is missing (Debian: apt-get install postgresql)")
    return found[-1].parent


class Redis:
    """A server with nothing on disk; ``program`` may be any that speaks Redis' language."""

    def __init__(self, program: Path = Path("redis-server"), address: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.address = address
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{self.address}:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *(self._program, "--port", str(self.port), "--bind", self.address),
                *("--protected-mode", "yes" if self.address == "127.0.0.1" else "no"),
                *("--save", "", "--appendonly", "no", "--loglevel", "warning"),
            ],
            stdout=subprocess.DEVNULL,
        )
        _wait_for(self._listens, self._process, "Redis")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.address, self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            _stop(self._process, 15)
            self._process = None
