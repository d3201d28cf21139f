"""AWS's own clients of the sandbox: they judge whether it answers as AWS does."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import boto3
from botocore.config import Config

from tests.grafana.sandbox_process import SandboxProcess


class AwsCli(Protocol):
    def __call__(
        self, *arguments: str, **environment: str
    ) -> "subprocess.CompletedProcess[str]": ...


@contextmanager
def boto3_client(
    sandbox: SandboxProcess,
    *,
    region: str | None = None,
    secret_key: str | None = None,
    session_token: str | None = None,
    **config: Any,
) -> Iterator[Any]:
    """boto3's client of the sandbox; one attempt per call, unless `config` says otherwise."""
    config = {"retries": {"total_max_attempts": 1, "mode": "standard"}, "proxies": {}, **config}
    client = boto3.session.Session().client(
        "grafana",
        endpoint_url=sandbox.url,
        region_name=region or sandbox.region,
        aws_access_key_id=sandbox.access_key,
        aws_secret_access_key=secret_key or sandbox.secret_key,
        aws_session_token=session_token,
        config=Config(**config),
    )
    try:
        yield client
    finally:
        client.close()


def json_of(completed: "subprocess.CompletedProcess[str]") -> Any:
    """What the AWS CLI printed, having succeeded."""
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout)
