"""Signatures are verified for real: botocore's are accepted, and nothing that was changed since."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import PROD, SandboxProcess
from tests.grafana.signed import Answer, send, send_signed, signed_headers

TARGET = f"/workspaces/{PROD}/serviceaccounts?maxResults=2"
BODY = json.dumps({"name": "x", "grafanaRole": "VIEWER"}).encode()


def refused_with(code: str, call: Callable[[], Any]) -> None:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize(
    "target",
    [
        "/workspaces",
        "/workspaces?maxResults=2&nextToken=",
        "/workspaces?b=2&a=1&a=0&A=%2B%2F%3D%20~&c",
        f"/workspaces/{PROD}/serviceaccounts/a%20b%2Fc%C3%A9~%25/tokens",
        "/workspaces//./x/..",
    ],
)
def test_what_botocore_signs_is_accepted_however_it_is_encoded(
    sandbox: SandboxProcess, target: str
) -> None:
    answer = send_signed(sandbox, "GET", target)
    assert answer.error not in {"InvalidSignatureException", "IncompleteSignatureException"}


@dataclass(frozen=True)
class Sent:
    """A request to make a service account, signed by botocore."""

    headers: dict[str, str]
    method: str = "POST"
    target: str = TARGET
    body: bytes = BODY

    def to(self, sandbox: SandboxProcess) -> Answer:
        return send(sandbox, self.method, self.target, self.body, self.headers)

    def with_header(self, name: str, value: str) -> "Sent":
        return replace(self, headers={**self.headers, name: value})

    def without_header(self, name: str) -> "Sent":
        kept = {other: value for other, value in self.headers.items() if other != name}
        return replace(self, headers=kept)

    def in_authorization(self, old: str, new: str) -> "Sent":
        authorization = self.headers["Authorization"]
        assert old in authorization
        return self.with_header("Authorization", authorization.replace(old, new))


@pytest.fixture
def signed(sandbox: SandboxProcess) -> Sent:
    return Sent(signed_headers(sandbox, "POST", TARGET, BODY))


def one_second_earlier(sent: Sent) -> Sent:
    moment = datetime.strptime(sent.headers["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
    return sent.with_header("X-Amz-Date", f"{moment - timedelta(seconds=1):%Y%m%dT%H%M%SZ}")


def another_signature(sent: Sent) -> Sent:
    signature = sent.headers["Authorization"].rpartition("=")[2]
    return sent.in_authorization(signature, signature[::-1])


TAMPERED: dict[str, Callable[[Sent], Sent]] = {
    "method": lambda sent: replace(sent, method="GET"),
    "path": lambda sent: replace(sent, target=TARGET.replace("1a", "1b")),
    "query": lambda sent: replace(sent, target=TARGET.replace("=2", "=3")),
    "further query": lambda sent: replace(sent, target=f"{TARGET}&x=1"),
    "body": lambda sent: replace(sent, body=BODY.replace(b"VIEWER", b"ADMIN")),
    "no body": lambda sent: replace(sent, body=b""),
    "host": lambda sent: sent.with_header("Host", "elsewhere"),
    "signed header": lambda sent: sent.with_header("X-Amz-Meta", "another"),
    "header not sent": lambda sent: sent.without_header("X-Amz-Meta"),
    "header not signed": lambda sent: sent.with_header("X-Amz-Security-Token", "x"),
    "host not signed": lambda sent: sent.in_authorization(";host", ""),
    "region": lambda sent: sent.in_authorization("eu-west-1", "us-east-1"),
    "service": lambda sent: sent.in_authorization("/grafana/", "/s3/"),
    "time": one_second_earlier,
    "day": lambda sent: sent.with_header("X-Amz-Date", "20200101T000000Z"),
    "signature": another_signature,
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_request_changed_after_signing_is_refused(
    sandbox: SandboxProcess, signed: Sent, what: str
) -> None:
    answer = TAMPERED[what](signed).to(sandbox)
    assert (answer.status, answer.error) == (403, "InvalidSignatureException")
    assert sandbox.calls()[-1]["effect"] is None


def test_the_same_request_unchanged_is_accepted(sandbox: SandboxProcess, signed: Sent) -> None:
    assert signed.to(sandbox).status == 200


def test_a_request_without_a_signature_is_missing_its_authentication(
    sandbox: SandboxProcess,
) -> None:
    answer = send(sandbox, "GET", "/workspaces")
    assert (answer.status, answer.error) == (403, "MissingAuthenticationTokenException")
    assert answer.json == {"message": "Missing Authentication Token"}


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic eDp5", "AWS4-HMAC-SHA256 Credential=SANDBOX", "AWS4-HMAC-SHA256 x, y, z"],
)
def test_half_a_signature_is_incomplete(
    sandbox: SandboxProcess, signed: Sent, authorization: str
) -> None:
    answer = signed.with_header("Authorization", authorization).to(sandbox)
    assert (answer.status, answer.error) == (403, "IncompleteSignatureException")


@pytest.mark.parametrize("date", ["", "today", "20261399T999999Z", "2026-01-01T00:00:00Z"])
def test_a_signature_without_a_time_is_incomplete(
    sandbox: SandboxProcess, signed: Sent, date: str
) -> None:
    scoped = signed.in_authorization(signed.headers["X-Amz-Date"][:8], date[:8])
    answer = scoped.with_header("X-Amz-Date", date).to(sandbox)
    assert (answer.status, answer.error) == (403, "IncompleteSignatureException")


def test_an_unknown_access_key_is_unrecognized(sandbox: SandboxProcess, signed: Sent) -> None:
    answer = signed.in_authorization("SANDBOX/", "STRANGER/").to(sandbox)
    assert (answer.status, answer.error) == (403, "UnrecognizedClientException")


def test_a_wrong_secret_is_an_invalid_signature(sandbox: SandboxProcess) -> None:
    with boto3_client(sandbox, secret_key="wrong") as client:
        refused_with("InvalidSignatureException", client.list_workspaces)


def test_a_signature_for_another_region_is_invalid(sandbox: SandboxProcess) -> None:
    with boto3_client(sandbox, region="us-east-1") as client:
        refused_with("InvalidSignatureException", client.list_workspaces)


def test_a_session_token_is_tolerated_when_it_is_signed(sandbox: SandboxProcess) -> None:
    with boto3_client(sandbox, session_token="a session token") as client:
        assert len(client.list_workspaces()["workspaces"]) == 3


@pytest.mark.parametrize("skew_seconds", [-290, 290])
def test_clocks_may_differ_by_almost_five_minutes(
    amg: Any, sandbox: SandboxProcess, skew_seconds: int
) -> None:
    sandbox.settings(skew_seconds=skew_seconds)
    assert len(amg.list_workspaces()["workspaces"]) == 3


@pytest.mark.parametrize(("skew_seconds", "why"), [(310, "expired"), (-310, "not yet current")])
def test_clocks_that_differ_by_more_make_a_signature_invalid(
    amg: Any, sandbox: SandboxProcess, skew_seconds: int, why: str
) -> None:
    sandbox.settings(skew_seconds=skew_seconds)
    refused_with("InvalidSignatureException", amg.list_workspaces)
    with pytest.raises(ClientError, match=why):
        amg.list_workspaces()


def test_a_clock_moved_ahead_for_tokens_leaves_signatures_alone(
    amg: Any, sandbox: SandboxProcess
) -> None:
    sandbox.advance(30 * 24 * 60 * 60)
    assert len(amg.list_workspaces()["workspaces"]) == 3
