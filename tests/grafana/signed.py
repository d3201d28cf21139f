"""Requests that boto3 would not send: signed by botocore, sent as they stand."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.grafana.sandbox_process import SandboxProcess


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def error(self) -> str | None:
        return self.headers.get("x-amzn-ErrorType")

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)


def signed_headers(
    sandbox: SandboxProcess, method: str, target: str, body: bytes = b""
) -> dict[str, str]:
    request = AWSRequest(
        method=method,
        url=f"{sandbox.url}{target}",
        data=body,
        headers={"Content-Type": "application/json", "X-Amz-Meta": "a  b"},
    )
    credentials = Credentials(sandbox.access_key, sandbox.secret_key)
    SigV4Auth(credentials, "grafana", sandbox.region).add_auth(request)
    return dict(request.headers.items())


def send(
    sandbox: SandboxProcess,
    method: str,
    target: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    try:
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def send_signed(sandbox: SandboxProcess, method: str, target: str, body: bytes = b"") -> Answer:
    return send(sandbox, method, target, body, signed_headers(sandbox, method, target, body))
