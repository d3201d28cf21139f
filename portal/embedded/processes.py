"""Processes that are kept alive, and stopped together.

Production uses systemd or an orchestrator for this; the processes are the same. No library does the
whole of it in the foreground: start in order, start again what dies, and leave nothing behind even
when killed (docs/decisions/0002-own-supervisor.md).
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from portal.parents import die_with_parent

STOP_SECONDS = 25.0
READY_SECONDS = 60.0
LONGEST_RESTART_PAUSE = 10.0


class StartError(Exception):
    """The product can't start; the text says why and what to do."""


class Process:
    """One process that is to run until it is told to stop."""

    def __init__(self, name: str, command: Sequence[str], **environment: str) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 0.0
        self._not_before = 0.0

    def start(self) -> None:
        self._started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 (the product's own command lines)
            self._command,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            # A group of its own: Ctrl-C reaches only us, and we stop the others in order.
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    @property
    def pid(self) -> int:
        """0 before it is started."""
        return self._process.pid if self._process else 0

    def keep_alive(self) -> None:
        """Start it again if it has died; the pause grows while it keeps dying."""
        if self._process is None or self._process.poll() is None:
            return
        now = time.monotonic()
        if self._not_before == 0.0:
            self._end_group()  # its children would keep its port
            quick = now - self._started < LONGEST_RESTART_PAUSE
            self._pause = min(self._pause * 2 or 0.5, LONGEST_RESTART_PAUSE) if quick else 0.5
            self._not_before = now + self._pause
            say(
                f"{self.name} ended with {self._process.returncode}; "
                f"starting it again in {self._pause:.1f} s"
            )
        if now >= self._not_before:
            self._not_before = 0.0
            self.start()

    def has_died(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, until: float) -> None:
        """Wait for its end, and end the whole group by force when it takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            say(f"{self.name} did not stop in time; ending it by force")
        self._end_group()
        self._process.wait()

    def _end_group(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def wait_for(what: str, answers: Callable[[], bool], died: Callable[[], bool]) -> None:
    until = time.monotonic() + READY_SECONDS
    while not answers():
        if died() or time.monotonic() > until:
            raise StartError(
                f"The {what} did not start: see its message above (the broker's is in "
                "PORTAL_DATA_DIR/broker/broker.log)."
            )
        time.sleep(0.02)


def stop(processes: Sequence[Process]) -> None:
    """Ask all of them to stop, and wait until they have."""
    until = time.monotonic() + STOP_SECONDS
    for process in processes:
        process.ask_to_stop()
    for process in processes:
        process.wait(until)
