"""What a refusal tells beside its type: when to come back, that a name exists, and why."""

import pytest

from portal.grafana import errors
from portal.grafana.client import Client
from portal.grafana.errors import (
    AccessDeniedException,
    ConflictException,
    NoAnswer,
    ThrottlingException,
    ValidationException,
)
from portal.grafana.types import Operation
from tests.grafana.example import ACCOUNT, WORKSPACE
from tests.grafana.scripted_server import Reply, ScriptedServer, answer, refusal

pytest_plugins = ("tests.grafana.client_fixtures",)


def create(client: Client) -> object:
    return client.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)


def delete(client: Client) -> object:
    return client.delete_token(WORKSPACE, ACCOUNT, "5")


# -- When to come back ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Tue, 03 Nov 2026 10:00:30 GMT"}, 30.0),
        ({"Retry-After": "when the cows come home"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "\xb2"}, None),
    ],
)
@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerException"])
def test_retry_after_is_read_and_never_stumbled_over(
    grafana: Client,
    scripted_server: ScriptedServer,
    code: str,
    header: dict[str, str],
    seconds: float | None,
) -> None:
    scripted_server.script(refusal(429, code, "slow down", headers=header))
    with pytest.raises(getattr(errors, code)) as caught:
        create(grafana)
    assert caught.value.retry_after == seconds


# -- A name that exists ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        refusal(409, "ConflictException", "Service account token ci Already Exists."),
        refusal(400, "ValidationException", "service account token with given name already exists"),
        refusal(
            400,
            "ValidationException",
            "Invalid input",
            reason="FIELD_VALIDATION_FAILED",
            fieldList=[{"name": "name", "message": "already exists"}],
        ),
    ],
)
def test_an_existing_name_is_told_in_three_ways(
    grafana: Client, scripted_server: ScriptedServer, reply: Reply
) -> None:
    scripted_server.script(reply)
    with pytest.raises((ConflictException, ValidationException)) as caught:
        create(grafana)
    assert caught.value.speaks_of_existing_name
    assert not caught.value.retryable


def test_a_busy_workspace_is_a_conflict_for_later(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    scripted_server.script(refusal(409, "ConflictException", "The workspace is being updated"))
    with pytest.raises(ConflictException) as caught:
        create(grafana)
    assert not caught.value.speaks_of_existing_name
    assert caught.value.retryable


def test_other_errors_speak_of_no_name(grafana: Client, scripted_server: ScriptedServer) -> None:
    scripted_server.script(refusal(403, "AccessDeniedException", "a policy already exists"))
    with pytest.raises(AccessDeniedException) as caught:
        create(grafana)
    assert not caught.value.speaks_of_existing_name


def test_the_fields_of_a_validation_error_are_in_its_message(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    fields = [{"name": "name", "message": "is too long"}, "nonsense", {"name": 5}]
    scripted_server.script(refusal(400, "ValidationException", "Invalid input", fieldList=fields))
    with pytest.raises(ValidationException) as caught:
        create(grafana)
    assert caught.value.message == "Invalid input (name: is too long) (5: None)"


# -- Its text -------------------------------------------------------------------------------------


def test_the_text_names_all_that_support_will_ask_for() -> None:
    error = ThrottlingException(
        "slow down", operation=Operation.CREATE, status=429, request_id="7f9c"
    )
    assert str(error) == (
        "CreateWorkspaceServiceAccountToken: ThrottlingException "
        "(HTTP 429, request 7f9c): slow down"
    )
    assert str(NoAnswer("gone")) == "AMG: NoAnswer (no answer): gone"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("two\r\nlines\x00 \x1b[31m", "two  lines   [31m"),
        ("half \ud800 a pair", "half   a pair"),
        ("x" * 5000, "x" * 1000),
        (["a", "list"], ""),
        (None, ""),
    ],
)
def test_a_message_is_fit_for_a_log_and_a_database(
    grafana: Client, scripted_server: ScriptedServer, message: object, expected: str
) -> None:
    reply = answer(400, {"message": message}, headers={"x-amzn-ErrorType": "ValidationException"})
    scripted_server.script(reply)
    with pytest.raises(ValidationException) as caught:
        create(grafana)
    assert caught.value.message == expected


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 101, "<script>", "\xb2"])
def test_a_request_id_of_another_shape_is_none(
    grafana: Client, scripted_server: ScriptedServer, request_id: str
) -> None:
    scripted_server.script(answer(200, {}, headers={"x-amzn-RequestId": request_id}))
    assert delete(grafana) == ""
