"""A Python that has run some code already, and is forked for each call instead of begun anew.

Django and what the portal imports take most of the time of a short process.
"""

import array
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60.0


class WarmPython:
    """A server that runs ``first`` once, and forks a process of its own for each call.

    The environment is the server's own, and each process's unless the call brings another. Nothing
    of the tests is imported here: some of it starts servers.
    """

    def __init__(self, first: str, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._directory = tempfile.mkdtemp(prefix="portal-python-")
        self._path = str(Path(self._directory, "socket"))
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.warm_python", self._path, first],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "ready\n"

    def close(self) -> None:
        self._server.terminate()
        self._server.communicate()
        shutil.rmtree(self._directory, ignore_errors=True)

    def run(
        self, code: str, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run some Python as ``python -c`` does, after what the server has run."""
        asked = {"code": code, "environment": dict(environment or self._environment)}
        with (
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server,
        ):
            server.settimeout(SECONDS)
            server.connect(self._path)
            files = array.array("i", [out.fileno(), err.fileno()])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
            server.sendmsg([json.dumps(asked).encode()], rights)
            status = int(server.recv(16))
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(code, status, out.read(), err.read())


# -- In the server ------------------------------------------------------------------------------


def _serve(path: str, first: str) -> None:
    exec(first, {"__name__": "__main__"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(path)
        listening.listen(16)
        print("ready", flush=True)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who serve one call
        while True:
            call, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(call)
            call.close()


def _answer(call: socket.socket) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked, files, _, _ = socket.recv_fds(call, 1 << 20, 2)
    child = os.fork()
    if child == 0:
        call.close()
        os.dup2(files[0], sys.stdout.fileno())
        os.dup2(files[1], sys.stderr.fileno())
        _run(**json.loads(asked))
    _, status = os.waitpid(child, 0)
    call.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(code: str, environment: dict[str, str]) -> NoReturn:
    """As ``python -c`` would, its last steps included."""
    os.environ.clear()
    os.environ.update(environment)
    status: object = 0
    try:
        exec(code, {"__name__": "__main__"})
    except SystemExit as ended:
        status = ended.code
    except BaseException:  # noqa: BLE001  whatever it is ends this process alone
        traceback.print_exc()
        status = 1
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(status or 0))


if __name__ == "__main__":
    _serve(*sys.argv[1:])
