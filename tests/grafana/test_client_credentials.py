"""As whom the client calls: botocore's credential chain, and roles of other accounts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from portal.grafana.client import Client
from portal.grafana.errors import NotSent
from tests.grafana.example import ACCOUNT, REGION, WORKSPACE
from tests.grafana.scripted_server import (
    ReceivedRequest,
    Reply,
    ScriptedServer,
    answer,
    silence,
)
from tests.grafana.sigv4_verifier import verify

pytest_plugins = ("tests.grafana.client_fixtures",)

ROLE = "arn:aws:iam::210987654321:role/grafana-tokens"
Environment = pytest.MonkeyPatch


@pytest.fixture
def other_server() -> Iterator[ScriptedServer]:
    """STS, or what hands out credentials."""
    with ScriptedServer() as server:
        yield server


def delete(client: Client) -> None:
    client.delete_token(WORKSPACE, ACCOUNT, "5")


def scope(request: ReceivedRequest) -> list[str]:
    """Access key, date, region, service and the rest of what the signature is for."""
    return request.headers["authorization"].split("Credential=")[1].split(",")[0].split("/")


def test_credentials_of_a_profile(
    aws_environment: Environment, scripted_server: ScriptedServer, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        aws_environment.delenv(name)
    file = tmp_path / "credentials"
    file.write_text(
        "[there]\naws_access_key_id = AKIDTHERE\naws_secret_access_key = secret there\n"
        "aws_session_token = session\n"
    )
    aws_environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    aws_environment.setenv("AWS_PROFILE", "there")
    client = Client(endpoint_url=scripted_server.url)
    delete(client)
    client.close()
    [request] = scripted_server.requests
    assert scope(request)[0] == "AKIDTHERE"
    assert request.headers["x-amz-security-token"] == "session"
    verify_by(request, "secret there")


def verify_by(request: ReceivedRequest, secret_key: str) -> None:
    verify(
        method=request.method,
        target=request.target,
        headers=request.headers,
        body=request.body,
        secret_key=secret_key,
        region=REGION,
        service="grafana",
    )


def container_credentials(number: int, *, minutes: float) -> Reply:
    """What a container's agent hands out."""
    return answer(
        200,
        {
            "AccessKeyId": f"ASIACONTAINER{number}",
            "SecretAccessKey": f"secret {number}",
            "Token": f"token {number}",
            "Expiration": in_minutes(minutes),
        },
    )


def in_minutes(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_credentials_of_a_container_are_renewed_before_they_end(
    aws_environment: Environment, scripted_server: ScriptedServer, other_server: ScriptedServer
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        aws_environment.delenv(name)
    aws_environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{other_server.url}/creds")
    other_server.script(container_credentials(1, minutes=1), container_credentials(2, minutes=60))
    client = Client(endpoint_url=scripted_server.url)
    for _ in range(3):
        delete(client)
    client.close()
    assert len(other_server.requests) == 2
    for request in scripted_server.requests:
        assert scope(request)[0] == "ASIACONTAINER2"
        assert request.headers["x-amz-security-token"] == "token 2"
        verify_by(request, "secret 2")


def assumed_role(number: int, *, minutes: float) -> Reply:
    """STS's answer to AssumeRole."""
    body = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleResult>
        <AssumedRoleUser>
          <Arn>arn:aws:sts::210987654321:assumed-role/grafana-tokens/grafana-token-portal</Arn>
          <AssumedRoleId>AROAEXAMPLE:grafana-token-portal</AssumedRoleId>
        </AssumedRoleUser>
        <Credentials>
          <AccessKeyId>ASIAROLE{number}</AccessKeyId>
          <SecretAccessKey>role secret {number}</SecretAccessKey>
          <SessionToken>role token {number}</SessionToken>
          <Expiration>{in_minutes(minutes)}</Expiration>
        </Credentials>
      </AssumeRoleResult>
      <ResponseMetadata><RequestId>sts</RequestId></ResponseMetadata>
    </AssumeRoleResponse>"""
    return answer(200, body.encode(), content_type="text/xml")


@pytest.fixture
def sts(aws_environment: Environment, other_server: ScriptedServer) -> ScriptedServer:
    aws_environment.setenv("AWS_ENDPOINT_URL_STS", other_server.url)
    return other_server


def test_a_role_in_another_account_is_assumed_once_with_its_external_id(
    sts: ScriptedServer, scripted_server: ScriptedServer
) -> None:
    sts.script(assumed_role(1, minutes=60))
    client = Client(endpoint_url=scripted_server.url, role_arn=ROLE, external_id="a-secret-of-two")
    for _ in range(3):
        delete(client)
    client.close()
    [request] = sts.requests
    assert scope(request)[0] == "AKIDEXAMPLE"
    assert scope(request)[2] == REGION
    asked = {name: value for name, [value] in parse_qs(request.body.decode()).items()}
    assert asked == {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": "grafana-token-portal",
        "ExternalId": "a-secret-of-two",
    }
    for request in scripted_server.requests:
        assert scope(request)[0] == "ASIAROLE1"
        assert request.headers["x-amz-security-token"] == "role token 1"
        verify_by(request, "role secret 1")


def test_an_assumed_role_is_assumed_anew_before_it_ends(
    sts: ScriptedServer, scripted_server: ScriptedServer
) -> None:
    # botocore renews 15 minutes ahead.
    sts.script(assumed_role(1, minutes=14.5), assumed_role(2, minutes=60))
    client = Client(endpoint_url=scripted_server.url, role_arn=ROLE)
    for _ in range(3):
        delete(client)
    client.close()
    assert len(sts.requests) == 2
    assert "ExternalId" not in sts.requests[0].body.decode()
    keys = [scope(request)[0] for request in scripted_server.requests]
    assert keys == ["ASIAROLE1", "ASIAROLE2", "ASIAROLE2"]


def test_a_role_that_may_not_be_assumed_sends_nothing(
    sts: ScriptedServer, scripted_server: ScriptedServer
) -> None:
    denied = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
        "<Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>"
    )
    sts.script(answer(403, denied.encode(), content_type="text/xml"))
    client = Client(endpoint_url=scripted_server.url, role_arn=ROLE)
    with pytest.raises(NotSent, match=r"AccessDenied.*sts:AssumeRole"):
        delete(client)
    client.close()
    assert scripted_server.requests == []


def test_the_answer_of_sts_is_not_waited_for_for_ever(
    sts: ScriptedServer, scripted_server: ScriptedServer
) -> None:
    sts.script(silence(), silence())
    client = Client(
        endpoint_url=scripted_server.url, role_arn=ROLE, connect_timeout=0.2, read_timeout=0.2
    )
    begun = datetime.now(UTC)
    with pytest.raises(NotSent, match="ReadTimeoutError"):
        delete(client)
    client.close()
    assert datetime.now(UTC) - begun < timedelta(seconds=5)


def test_a_process_that_hands_out_credentials_may_be_missing(
    aws_environment: Environment, scripted_server: ScriptedServer, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        aws_environment.delenv(name)
    config = tmp_path / "config"
    config.write_text("[default]\ncredential_process = /nowhere/credentials\n")
    aws_environment.setenv("AWS_CONFIG_FILE", str(config))
    client = Client(endpoint_url=scripted_server.url)
    with pytest.raises(NotSent, match="/nowhere/credentials"):
        delete(client)
    client.close()
