"""Who else gets a token from AWS: its CLI, boto3 kept warm, and the portal's own bare client."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore

from bench.visitor import Place
from portal.grafana.client import Client
from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import SandboxProcess

AWS = Path(sys.executable).parent / "aws"
SECONDS_TO_LIVE = 3600

Issue = Callable[[str], float]
"""Gets a token of this name and has its key; returns the seconds that it took."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody who issues tokens; ``prepare`` is what goes before each, outside the clock."""

    who: str
    issue: Issue
    prepare: Callable[[], None] = lambda: None


def aws_cli(sandbox: SandboxProcess, place: Place) -> Issue:
    """AWS's CLI, a process for each token, until its output with the key is read."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        **sandbox.environment,
    }

    def issue(name: str) -> float:
        started = time.perf_counter()
        said = subprocess.run(
            [
                *(str(AWS), "grafana", "create-workspace-service-account-token"),
                *("--workspace-id", place.workspace),
                *("--service-account-id", place.service_account),
                *("--name", name, "--seconds-to-live", str(SECONDS_TO_LIVE)),
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        taken = time.perf_counter() - started
        _require_key(json.loads(said))
        return taken

    return issue


@contextlib.contextmanager
def warm_boto3(sandbox: SandboxProcess, place: Place) -> Iterator[Issue]:
    """boto3 in a process that runs already, with its client made and its connection open."""
    with boto3_client(sandbox) as client:
        client.list_workspaces()

        def issue(name: str) -> float:
            started = time.perf_counter()
            said = client.create_workspace_service_account_token(
                workspaceId=place.workspace,
                serviceAccountId=place.service_account,
                name=name,
                secondsToLive=SECONDS_TO_LIVE,
            )
            taken = time.perf_counter() - started
            _require_key(said)
            return taken

        yield issue


@contextlib.contextmanager
def bare_client(sandbox: SandboxProcess, place: Place) -> Iterator[Issue]:
    """The client that the portal's workers use, alone: what cannot be undercut."""
    os.environ.update(sandbox.environment)
    with contextlib.closing(Client()) as client:
        client.list_workspaces()

        def issue(name: str) -> float:
            started = time.perf_counter()
            client.create_token(
                place.workspace,
                place.service_account,
                name=name,
                seconds_to_live=SECONDS_TO_LIVE,
            )
            return time.perf_counter() - started

        yield issue


def versions() -> dict[str, str]:
    """Of the peers, as they tell them."""
    cli = subprocess.run([str(AWS), "--version"], capture_output=True, text=True, check=True)
    return {
        "aws_cli": cli.stdout.split()[0].partition("/")[2],
        "boto3": boto3.__version__,
        "botocore": botocore.__version__,
    }


def _require_key(said: dict[str, Any]) -> None:
    if not said["serviceAccountToken"]["key"]:
        raise AssertionError("the answer holds no key")
