"""The sandbox as a process of its own, for tests and benchmarks.

with SandboxProcess(directory) as sandbox:
    sandbox.fault("error", "after", operation="CreateWorkspaceServiceAccountToken")
    ...
    assert len(sandbox.live_tokens()) == 1
"""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 10

_open = build_opener(ProxyHandler({})).open  # whatever proxy this machine has

PROD = "g-1a2b3c4d5e"
"""The demo's workspace ``observability-prod``."""
STAGING = "g-2b3c4d5e6f"
"""The demo's workspace ``observability-staging``."""
MOBILE = "g-9f8e7d6c5b"
"""The demo's workspace ``retail-mobile``, the last by name."""


class SandboxProcess:
    """A sandbox on a free port, with its data in `directory`; `seed` is a file for ``--seed``."""

    region = "eu-west-1"
    access_key = "SANDBOX"

    def __init__(self, directory: Path, *, seed: Path | None = None) -> None:
        self.secret_key = secrets.token_hex(16)
        self.data = directory / "sandbox.sqlite3"
        self.log = directory / "sandbox.log"
        self.port = 0
        self.address = "127.0.0.1"
        self._seed = seed
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What lets the AWS CLI, boto3 and the portal in another process use this sandbox alone."""
        return {
            "AWS_ENDPOINT_URL_GRAFANA": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }

    # The process

    def start(self) -> Self:
        """Start it, on the port it had before if it had one, and wait until it listens."""
        command = [sys.executable, "-m", "portal.grafana.sandbox", f"--port={self.port}"]
        command += [f"--host={self.address}"]
        command += [f"--data={self.data}", f"--region={self.region}"]
        command += [f"--access-key={self.access_key}"]
        if self._seed:
            command += [f"--seed={self._seed}"]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "SANDBOX_SECRET_ACCESS_KEY": self.secret_key},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        address = self._stdout(self._process).readline().split()
        if not address:
            self.kill()
            raise RuntimeError(f"the sandbox did not start: {self.log.read_text()}")
        self.port = int(address[-1].rpartition(":")[2])
        return self

    def stop(self) -> None:
        """Stop it as Ctrl-C does. Raises RuntimeError if it had anything to complain about."""
        if self._process is None:
            return
        self._process.terminate()
        status = self._process.wait(STOP_SECONDS)
        self._stdout(self._process).close()
        self._process = None
        complaints = self.log.read_text()
        if status or complaints:
            raise RuntimeError(f"the sandbox ended with status {status}: {complaints}")

    def kill(self) -> None:
        """End it as a crash does: SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._stdout(self._process).close()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def process(self) -> "subprocess.Popen[str]":
        """The process itself, while it runs; whoever ends it need not call stop()."""
        if self._process is None:
            raise RuntimeError("the sandbox is not running")
        return self._process

    @staticmethod
    def _stdout(process: "subprocess.Popen[str]") -> Any:
        if process.stdout is None:
            raise RuntimeError("the sandbox was started without a pipe")
        return process.stdout

    # Steering: see portal/grafana/sandbox/steering.py

    def steer(self, method: str, path: str, said: object = None) -> Any:
        """One request to ``/_sandbox/``. Raises ValueError with what the sandbox objects to."""
        body = None if said is None else json.dumps(said).encode()
        request = Request(f"{self.url}/_sandbox/{path}", data=body, method=method)
        try:
            with _open(request, timeout=10) as response:
                return json.load(response)
        except HTTPError as error:
            with error:
                raise ValueError(json.load(error)["message"]) from None

    def fault(self, kind: str, when: str | None = None, **members: Any) -> None:
        """Order one fault: see portal/grafana/sandbox/faults.py for its members."""
        self.faults({"kind": kind, **({"when": when} if when else {}), **members})

    def faults(self, *faults: dict[str, Any]) -> None:
        self.steer("POST", "faults", list(faults))

    def pending_faults(self) -> list[dict[str, Any]]:
        """Those that have not struck as often as they are to."""
        pending: list[dict[str, Any]] = self.steer("GET", "")["faults"]
        return pending

    def clear_faults(self) -> None:
        self.steer("DELETE", "faults")

    def settings(self, **changes: Any) -> None:
        """Change settings: see portal/grafana/sandbox/settings.py."""
        self.steer("POST", "settings", changes)

    def advance(self, seconds: float) -> None:
        """Let time pass for tokens, though not for signatures."""
        self.steer("POST", "clock", {"advance_seconds": seconds})

    def calls(self, operation: str | None = None) -> list[dict[str, Any]]:
        """The log of calls, the oldest first: see portal/grafana/sandbox/calls.py."""
        query = f"?operation={quote(operation)}" if operation else ""
        calls: list[dict[str, Any]] = self.steer("GET", f"calls{query}")["calls"]
        return calls

    def live_tokens(self, *, name: str | None = None) -> list[dict[str, Any]]:
        """Tokens that have not expired, of every workspace (or those called `name`); no keys."""
        tokens: list[dict[str, Any]] = self.steer("GET", "tokens")["tokens"]
        return [token for token in tokens if name in (None, token["name"])]

    def put_workspace(self, workspace_id: str, **members: str) -> None:
        """Make or change a workspace: `name`, `status`, `grafana_version`."""
        self.steer("POST", "workspaces", {"id": workspace_id, **members})

    def delete_workspace(self, workspace_id: str) -> None:
        self.steer("DELETE", f"workspaces?id={workspace_id}")

    def change_service_account(self, workspace_id: str, account_id: str, **members: Any) -> None:
        """Change its `name`, `role` (upper case) or `is_disabled`."""
        said = {"workspace_id": workspace_id, "id": account_id, **members}
        self.steer("POST", "service-accounts", said)

    def reset(self, *, data: bool = True) -> None:
        """Settings, faults and log as at start; with `data`, what it was seeded with, too."""
        self.steer("POST", "reset", {"data": data})
