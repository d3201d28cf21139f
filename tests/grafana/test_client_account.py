"""Where the client calls: region and endpoint by botocore's rules, from files and variables."""

from pathlib import Path

import pytest

from portal.grafana.account import Account
from portal.grafana.client import Client
from portal.grafana.errors import NotSent
from tests.grafana.example import ACCOUNT, REGION, WORKSPACE
from tests.grafana.scripted_server import (
    ReceivedRequest,
    ScriptedServer,
)

pytest_plugins = ("tests.grafana.client_fixtures",)

Environment = pytest.MonkeyPatch


def resolve(*, region: str = "", endpoint_url: str = "") -> Account:
    return Account.resolve(
        region=region,
        endpoint_url=endpoint_url,
        role_arn="",
        external_id="",
        connect_timeout=0.5,
        read_timeout=0.5,
    )


def delete(client: Client) -> None:
    client.delete_token(WORKSPACE, ACCOUNT, "5")


def scope(request: ReceivedRequest) -> list[str]:
    """Access key, date, region, service and the rest of what the signature is for."""
    return request.headers["authorization"].split("Credential=")[1].split(",")[0].split("/")


def test_the_region_of_the_argument_comes_first(aws_environment: Environment) -> None:
    assert resolve(region="us-west-2").region == "us-west-2"


def test_aws_region_beats_aws_default_region(aws_environment: Environment) -> None:
    aws_environment.setenv("AWS_DEFAULT_REGION", "us-east-2")
    assert resolve().region == REGION


def test_aws_default_region_is_enough(aws_environment: Environment) -> None:
    aws_environment.delenv("AWS_REGION")
    aws_environment.setenv("AWS_DEFAULT_REGION", "us-east-2")
    assert resolve().region == "us-east-2"


def test_a_profile_names_region_endpoint_and_certificates(
    aws_environment: Environment, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile there]\nregion = ap-northeast-1\nca_bundle = /there/ca.pem\nservices = mine\n"
        "[services mine]\ngrafana =\n  endpoint_url = http://127.0.0.1:7000\n"
    )
    aws_environment.delenv("AWS_REGION")
    aws_environment.setenv("AWS_CONFIG_FILE", str(config))
    aws_environment.setenv("AWS_PROFILE", "there")
    account = resolve()
    assert account.region == "ap-northeast-1"
    assert account.endpoint_url == "http://127.0.0.1:7000"
    assert account.ca_bundle == "/there/ca.pem"


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, "https://grafana.eu-west-1.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://grafana.eu-west-1.api.aws"),
        ({"AWS_ENDPOINT_URL": "http://all.example"}, "http://all.example"),
        (
            {
                "AWS_ENDPOINT_URL": "http://all.example",
                "AWS_ENDPOINT_URL_GRAFANA": "http://amg.example/",
            },
            "http://amg.example",
        ),
        (
            {
                "AWS_ENDPOINT_URL_GRAFANA": "http://amg.example",
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            },
            "https://grafana.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_the_endpoint_follows_aws_rules(
    aws_environment: Environment, variables: dict[str, str], endpoint: str
) -> None:
    for name, value in variables.items():
        aws_environment.setenv(name, value)
    assert resolve().endpoint_url == endpoint
    assert resolve(endpoint_url="http://argument.example").endpoint_url == "http://argument.example"


def test_the_region_is_what_the_signature_is_for(
    aws_environment: Environment, scripted_server: ScriptedServer
) -> None:
    client = Client(region="ap-southeast-2", endpoint_url=scripted_server.url)
    delete(client)
    client.close()
    [request] = scripted_server.requests
    assert scope(request)[2:] == ["ap-southeast-2", "grafana", "aws4_request"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AWS_REGION": ""}, "NoRegionError"),
        ({"AWS_REGION": "not a region"}, "InvalidRegionError"),
        ({"AWS_PROFILE": "missing"}, "ProfileNotFound"),
        ({"AWS_ENDPOINT_URL_GRAFANA": "amg.example"}, "Invalid endpoint: amg.example"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "NoCredentialsError"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "PartialCredentialsError"),
    ],
)
def test_what_is_missing_is_named_by_the_first_call_and_mended_without_a_restart(
    aws_environment: Environment,
    scripted_server: ScriptedServer,
    variables: dict[str, str],
    message: str,
) -> None:
    before = {
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL_GRAFANA": scripted_server.url,
    }
    for name, value in {**before, **variables}.items():
        aws_environment.setenv(name, value)
    client = Client()
    with pytest.raises(NotSent, match=message) as caught:
        delete(client)
    assert caught.value.retryable
    assert caught.value.operation == "DeleteWorkspaceServiceAccountToken"
    aws_environment.delenv("AWS_PROFILE", raising=False)
    for name, value in before.items():
        aws_environment.setenv(name, value)
    delete(client)
    client.close()
