"""A person at a terminal: pastes a command, is asked for a secret, and types it unseen."""

import contextlib
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SECONDS = 60.0


def in_terminal(
    command: Sequence[str],
    *,
    pasted: str = "",
    asked: str,
    secret: str,
    cwd: Path,
    environment: dict[str, str],
) -> str:
    """Run a command in a terminal of its own, and return all that the terminal showed.

    A shell is ``pasted`` something first. Once the last line begins with ``asked`` and the terminal
    echoes no more, ``secret`` is typed; a shell is left when its prompt, "$ ", is back. Raises
    TimeoutError when any of it takes longer than SECONDS.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (100, 1000))  # whoever wraps a line shows it torn
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, ours)
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env=environment,
        )
        stack.callback(_end, process)
        terminal = _Terminal(ours, theirs)
        os.write(ours, pasted.encode())
        terminal.read_until(lambda: terminal.last_line.startswith(asked) and not terminal.echoes())
        os.write(ours, f"{secret}\n".encode())
        if pasted:
            terminal.read_until(lambda: terminal.last_line.endswith("$ "))
            os.write(ours, b"exit\n")
        terminal.read_until(lambda: process.poll() is not None)
        os.close(theirs)
        return terminal.shown


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


class _Terminal:
    def __init__(self, ours: int, theirs: int) -> None:
        self._ours, self._theirs = ours, theirs
        self.shown = ""

    @property
    def last_line(self) -> str:
        return self.shown.rpartition("\n")[2]

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)

    def read_until(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + SECONDS
        while not holds():
            if time.monotonic() > until:
                raise TimeoutError(f"the terminal shows:\n{self.shown}")
            if select.select([self._ours], [], [], 0.05)[0]:
                self.shown += os.read(self._ours, 65536).decode(errors="replace")
        while select.select([self._ours], [], [], 0)[0]:
            self.shown += os.read(self._ours, 65536).decode(errors="replace")
