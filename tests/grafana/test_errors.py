"""Which error a refusal of AMG becomes, and whether trying again may help."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from portal.grafana import errors
from portal.grafana.client import Client
from portal.grafana.errors import (
    AccessDeniedException,
    GrafanaError,
    InternalServerException,
    OutcomeUnknown,
    ResourceNotFoundException,
    ThrottlingException,
)
from portal.grafana.types import Operation
from tests.grafana.example import ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY, WORKSPACE
from tests.grafana.scripted_server import REQUEST_ID, Reply, ScriptedServer, answer, refusal

pytest_plugins = ("tests.grafana.client_fixtures",)

# The type, its usual status, and whether the same request may succeed later (as a deletion).
KNOWN = [
    ("ValidationException", 400, False),
    ("ServiceQuotaExceededException", 402, False),
    ("AccessDeniedException", 403, False),
    ("ResourceNotFoundException", 404, False),
    ("ConflictException", 409, True),
    ("ThrottlingException", 429, True),
    ("InternalServerException", 500, True),
    ("UnrecognizedClientException", 403, False),
    ("InvalidSignatureException", 403, False),
    ("IncompleteSignature", 400, False),
    ("MissingAuthenticationToken", 403, False),
    ("ExpiredTokenException", 403, True),
    ("RequestExpired", 400, False),
    ("OptInRequired", 403, False),
    ("UnknownOperationException", 404, False),
    ("RequestEntityTooLarge", 413, False),
    ("ServiceUnavailable", 503, True),
    ("InternalFailure", 500, True),
]


def create(client: Client) -> object:
    return client.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)


def delete(client: Client) -> object:
    return client.delete_token(WORKSPACE, ACCOUNT, "5")


@pytest.fixture
def boto(aws_environment: object, scripted_server: ScriptedServer) -> Iterator[Any]:
    client = boto3.session.Session().client(
        "grafana",
        endpoint_url=scripted_server.url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


@pytest.mark.parametrize(("code", "status", "transient"), KNOWN)
def test_each_error_has_a_class_of_its_name(
    grafana: Client, scripted_server: ScriptedServer, code: str, status: int, transient: bool
) -> None:
    scripted_server.script(refusal(status, code, "a text of AWS"))
    with pytest.raises(getattr(errors, code)) as caught:
        delete(grafana)
    error = caught.value
    assert (error.code, error.status, error.request_id) == (code, status, REQUEST_ID)
    assert error.message == "a text of AWS"
    assert error.operation == "DeleteWorkspaceServiceAccountToken"
    assert error.retryable is transient
    assert not error.outcome_unknown


@pytest.mark.parametrize(("code", "status", "transient"), KNOWN)
def test_a_create_that_failed_at_aws_may_have_happened_and_is_not_for_repeating(
    grafana: Client, scripted_server: ScriptedServer, code: str, status: int, transient: bool
) -> None:
    scripted_server.script(refusal(status, code, "a text of AWS"))
    with pytest.raises(getattr(errors, code)) as caught:
        create(grafana)
    assert caught.value.outcome_unknown is (status >= 500)
    assert caught.value.retryable is (transient and status < 500)
    assert len(scripted_server.requests) == 1


def test_an_error_made_by_hand_knows_the_same() -> None:
    assert InternalServerException("x", operation=Operation.CREATE).outcome_unknown
    assert InternalServerException("x", operation=Operation.DELETE).retryable
    assert OutcomeUnknown().outcome_unknown
    assert not OutcomeUnknown().retryable
    assert ThrottlingException(retry_after=3.0).code == "ThrottlingException"


@pytest.mark.parametrize(
    "header",
    [
        "ThrottlingException",
        "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.service/",
        "com.amazonaws.grafana#ThrottlingException",
        "aws.protocoltests.restjson#ThrottlingException:http://internal.amazon.com/x#y",
    ],
)
def test_the_type_in_the_header_beats_the_body_with_and_without_its_trimmings(
    grafana: Client, scripted_server: ScriptedServer, boto: Any, header: str
) -> None:
    reply = answer(
        429,
        {"code": "AccessDeniedException", "__type": "ns#ConflictException", "message": "slow"},
        headers={"x-amzn-ErrorType": header},
    )
    scripted_server.script(reply, reply)
    with pytest.raises(ThrottlingException) as ours:
        delete(grafana)
    assert ours.value.code == "ThrottlingException"
    assert boto_code(boto) == ("ThrottlingException", "slow")


@pytest.mark.parametrize(
    "body",
    [
        {"code": "AccessDeniedException"},
        {"Code": "AccessDeniedException"},
        {"code": "com.amazonaws.grafana#AccessDeniedException"},
        {"__type": "AccessDeniedException"},
        {"__type": "com.amazonaws.grafana#AccessDeniedException:http://x"},
    ],
)
def test_without_the_header_the_type_stands_in_the_body(
    grafana: Client, scripted_server: ScriptedServer, body: dict[str, str]
) -> None:
    scripted_server.script(answer(403, {**body, "message": "no"}))
    with pytest.raises(AccessDeniedException, match="no") as caught:
        delete(grafana)
    assert caught.value.code == "AccessDeniedException"


@pytest.mark.parametrize("member", ["message", "Message"])
def test_the_text_stands_in_message_in_either_case(
    grafana: Client, scripted_server: ScriptedServer, boto: Any, member: str
) -> None:
    reply = answer(403, {member: "no"}, headers={"x-amzn-ErrorType": "AccessDeniedException"})
    scripted_server.script(reply, reply)
    with pytest.raises(AccessDeniedException) as caught:
        delete(grafana)
    assert caught.value.message == "no"
    assert boto_code(boto) == ("AccessDeniedException", "no")


def boto_code(boto: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        boto.delete_workspace_service_account_token(
            workspaceId=WORKSPACE, serviceAccountId=ACCOUNT, tokenId="5"
        )
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "InternalFailureException"])
def test_a_type_is_known_with_and_without_its_last_word(code: str) -> None:
    assert errors.error_class(code) is not GrafanaError


def test_an_unknown_type_is_kept_by_name(grafana: Client, scripted_server: ScriptedServer) -> None:
    scripted_server.script(refusal(418, "TeapotException", "short and stout"))
    with pytest.raises(GrafanaError, match="short and stout") as caught:
        create(grafana)
    assert (type(caught.value), caught.value.code) == (GrafanaError, "TeapotException")
    assert not caught.value.retryable
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("code", ["TeapotException", "ThrottlingException"])
def test_whatever_its_type_a_failure_with_a_5xx_may_have_created_something(
    grafana: Client, scripted_server: ScriptedServer, code: str
) -> None:
    scripted_server.script(refusal(503, code, "steam"), refusal(503, code, "steam"))
    with pytest.raises(GrafanaError) as created:
        create(grafana)
    assert (created.value.outcome_unknown, created.value.retryable) == (True, False)
    with pytest.raises(GrafanaError) as deleted:
        delete(grafana)
    assert (deleted.value.outcome_unknown, deleted.value.retryable) == (False, True)


@pytest.mark.parametrize(
    "reply",
    [
        answer(404, b"<html>Not Found</html>", content_type="text/html"),
        answer(404, {"message": "Not Found"}),
        answer(404),
    ],
)
def test_a_404_that_is_not_of_aws_does_not_say_that_a_token_is_gone(
    grafana: Client, scripted_server: ScriptedServer, reply: Reply
) -> None:
    scripted_server.script(reply)
    with pytest.raises(GrafanaError) as caught:
        delete(grafana)
    assert not isinstance(caught.value, ResourceNotFoundException)
    assert (type(caught.value), caught.value.code) == (GrafanaError, "HTTP404")


@pytest.mark.parametrize("status", [400, 401, 403, 407, 409])
def test_a_refusal_by_somebody_on_the_way_created_nothing(
    grafana: Client, scripted_server: ScriptedServer, status: int
) -> None:
    scripted_server.script(answer(status, b"<html>Forbidden</html>", content_type="text/html"))
    with pytest.raises(GrafanaError) as caught:
        create(grafana)
    assert caught.value.code == f"HTTP{status}"
    assert caught.value.message == ""
    assert not caught.value.outcome_unknown
    assert not caught.value.retryable


def test_a_bare_429_is_throttling(grafana: Client, scripted_server: ScriptedServer) -> None:
    scripted_server.script(answer(429, headers={"Retry-After": "3"}))
    with pytest.raises(ThrottlingException) as caught:
        create(grafana)
    assert (caught.value.retryable, caught.value.retry_after) == (True, 3.0)
