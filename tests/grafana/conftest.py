"""The sandbox as a real process, and AWS's own clients to judge it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.grafana.aws_clients import AwsCli, boto3_client
from tests.grafana.sandbox_process import PROD, SandboxProcess


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> SandboxProcess:
    """The session's sandbox, as new."""
    sandbox_process.reset()
    return sandbox_process


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    """One for this test alone, to be stopped and killed."""
    with SandboxProcess(tmp_path) as process:
        yield process


@pytest.fixture(scope="session")
def _session_client(sandbox_process: SandboxProcess) -> Iterator[Any]:
    with boto3_client(sandbox_process) as client:
        yield client


@pytest.fixture
def amg(sandbox: SandboxProcess, _session_client: Any) -> Any:
    """boto3's client of `sandbox`, with one attempt per call."""
    return _session_client


@pytest.fixture
def account(amg: Any) -> dict[str, str]:
    """The keyword arguments that name the service account ``terraform`` of PROD."""
    accounts = amg.list_workspace_service_accounts(workspaceId=PROD)["serviceAccounts"]
    [found] = [each["id"] for each in accounts if each["name"] == "terraform"]
    return {"workspaceId": PROD, "serviceAccountId": found}


@pytest.fixture
def aws(sandbox: SandboxProcess) -> AwsCli:
    """Runs ``aws grafana ...`` with the AWS CLI; further environment as keyword arguments."""

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [Path(sys.executable).with_name("aws"), "grafana", *arguments, "--output", "json"],
            env={**os.environ, **sandbox.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
