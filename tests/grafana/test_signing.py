"""Signatures, judged by a verifier that was written from the specification."""

import dataclasses
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from requests import Request

from portal.grafana.client import Client
from portal.grafana.signing import SigV4
from tests.grafana.example import ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY, WORKSPACE
from tests.grafana.scripted_server import ReceivedRequest, ScriptedServer
from tests.grafana.sigv4_verifier import BadSignatureError, verify

pytest_plugins = ("tests.grafana.client_fixtures",)


class FixedCredentials:
    """Credentials that never change, but may be taken away."""

    def __init__(self, token: str | None = None) -> None:
        self._frozen = ReadOnlyCredentials(ACCESS_KEY, SECRET_KEY, token)
        self.taken_away = False

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        if self.taken_away:
            raise NoCredentialsError
        return self._frozen


def verify_received(
    request: ReceivedRequest,
    *,
    secret_key: str = SECRET_KEY,
    region: str = REGION,
    service: str = "grafana",
) -> None:
    verify(
        method=request.method,
        target=request.target,
        headers=request.headers,
        body=request.body,
        secret_key=secret_key,
        region=region,
        service=service,
    )


@pytest.fixture
def received(grafana: Client, scripted_server: ScriptedServer) -> ReceivedRequest:
    """A create as the server got it."""
    with pytest.raises(Exception, match="serviceAccountToken"):
        grafana.create_token(WORKSPACE, ACCOUNT, name="ci deploy", seconds_to_live=3600)
    return scripted_server.requests[0]


def test_the_verifier_accepts_the_example_that_aws_publishes() -> None:
    """``get-vanilla`` of AWS's signature test suite, and nothing else by its signature."""
    vanilla = {
        "method": "GET",
        "target": "/",
        "body": b"",
        "secret_key": SECRET_KEY,
        "region": "us-east-1",
        "service": "service",
        "now": datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    }
    headers = {
        "host": "example.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 "
        "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    }
    verify(headers=headers, **vanilla)  # type: ignore[arg-type]  # one dict of several types
    with pytest.raises(BadSignatureError):
        verify(headers={**headers, "host": "example.org"}, **vanilla)  # type: ignore[arg-type]


def test_a_request_of_ours_is_accepted(received: ReceivedRequest) -> None:
    verify_received(received)


def test_only_host_content_type_and_amazons_headers_are_signed(received: ReceivedRequest) -> None:
    assert "SignedHeaders=content-type;host;x-amz-date," in received.headers["authorization"]


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"target": f"/workspaces/{WORKSPACE}/serviceaccounts/18/tokens"},
        {"target": f"/workspaces/{WORKSPACE}/serviceaccounts/17/tokens?maxResults=1"},
        {"body": b'{"name": "ci deploy", "secondsToLive": 3601}'},
    ],
)
def test_a_request_that_was_tampered_with_is_refused(
    received: ReceivedRequest, change: dict[str, str]
) -> None:
    with pytest.raises(BadSignatureError, match="does not match"):
        verify_received(dataclasses.replace(received, **change))  # type: ignore[arg-type]  # see above


@pytest.mark.parametrize("name", ["host", "content-type", "x-amz-date"])
def test_a_changed_header_is_refused(received: ReceivedRequest, name: str) -> None:
    later = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y%m%dT%H%M%SZ")
    headers = {**received.headers, name: later}
    with pytest.raises(BadSignatureError):
        verify_received(dataclasses.replace(received, headers=headers))


@pytest.mark.parametrize(
    "other", [{"secret_key": "not the secret"}, {"region": "us-east-1"}, {"service": "sts"}]
)
def test_another_secret_region_or_service_is_refused(
    received: ReceivedRequest, other: dict[str, str]
) -> None:
    with pytest.raises(BadSignatureError):
        verify_received(received, **other)


def test_a_session_token_is_sent_and_signed() -> None:
    request = Request("GET", "http://127.0.0.1:9/workspaces").prepare()
    SigV4(FixedCredentials(token="session/token+=="), REGION)(request)
    assert request.headers["X-Amz-Security-Token"] == "session/token+=="
    assert "host;x-amz-date;x-amz-security-token" in request.headers["Authorization"]


@settings(deadline=None)
@given(segments=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
@example(segments=["a b", "ä/ö", "100%", "a+b", "~"])
def test_any_encoded_path_is_signed_as_it_is_sent(segments: list[str]) -> None:
    """Encoded labels are encoded once more in the canonical path."""
    segments = [each for each in segments if each not in (".", "..")]
    url = "http://127.0.0.1:9/" + "/".join(quote(each, safe="") for each in segments)
    request = Request("GET", url, auth=SigV4(FixedCredentials(), REGION)).prepare()
    verify(
        method="GET",
        target=request.path_url,
        headers={
            "host": "127.0.0.1:9",
            **{name.lower(): value for name, value in request.headers.items()},
        },
        body=b"",
        secret_key=SECRET_KEY,
        region=REGION,
        service="grafana",
    )
