"""Each error arrives at boto3 as the exception of its name, with the members of its shape."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.grafana.sandbox_process import MOBILE, PROD, SandboxProcess
from tests.grafana.signed import send_signed

TYPED = [
    ("ValidationException", 400, {"reason"}),
    ("ServiceQuotaExceededException", 402, {"resourceId", "resourceType", "serviceCode"}),
    ("AccessDeniedException", 403, set()),
    ("ResourceNotFoundException", 404, {"resourceId", "resourceType"}),
    ("ConflictException", 409, {"resourceId", "resourceType"}),
    ("ThrottlingException", 429, set()),
    ("InternalServerException", 500, set()),
]


@pytest.mark.parametrize(("name", "status", "members"), TYPED)
def test_an_injected_error_is_the_typed_exception_with_the_members_of_its_shape(
    amg: Any, sandbox: SandboxProcess, name: str, status: int, members: set[str]
) -> None:
    sandbox.fault("error", type=name)
    with pytest.raises(getattr(amg.exceptions, name)) as caught:
        amg.list_workspaces()
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["ResponseMetadata"]["RequestId"] == sandbox.calls()[-1]["request_id"]
    assert response["message"] == "The sandbox was told to fail."
    assert members <= set(response)


@pytest.mark.parametrize("name", ["ThrottlingException", "InternalServerException"])
def test_retry_after_is_parsed_where_the_model_has_it(
    amg: Any, sandbox: SandboxProcess, name: str
) -> None:
    sandbox.fault("error", type=name, headers={"Retry-After": "7"})
    with pytest.raises(getattr(amg.exceptions, name)) as caught:
        amg.list_workspaces()
    assert caught.value.response["retryAfterSeconds"] == 7


def test_an_error_outside_the_model_keeps_its_name_and_status(
    amg: Any, sandbox: SandboxProcess
) -> None:
    sandbox.fault("error", type="ExpiredTokenException", status=400)
    with pytest.raises(ClientError) as caught:
        amg.list_workspaces()
    assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_what_is_missing_is_named_with_its_type(amg: Any, account: dict[str, str]) -> None:
    nowhere = "g-0000000000"
    missing: dict[tuple[str, str], Callable[[], Any]] = {
        ("WORKSPACE", nowhere): lambda: amg.describe_workspace(workspaceId=nowhere),
        ("SERVICE_ACCOUNT", "999"): lambda: amg.list_workspace_service_account_tokens(
            workspaceId=PROD, serviceAccountId="999"
        ),
        ("SERVICE_ACCOUNT_TOKEN", "999"): lambda: amg.delete_workspace_service_account_token(
            **account, tokenId="999"
        ),
    }
    for (resource_type, resource_id), call in missing.items():
        with pytest.raises(amg.exceptions.ResourceNotFoundException) as caught:
            call()
        assert caught.value.response["resourceType"] == resource_type
        assert caught.value.response["resourceId"] == resource_id


def test_a_token_deleted_twice_is_not_found(amg: Any, account: dict[str, str]) -> None:
    made = amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    token = {**account, "tokenId": made["serviceAccountToken"]["id"]}
    amg.delete_workspace_service_account_token(**token)
    with pytest.raises(amg.exceptions.ResourceNotFoundException):
        amg.delete_workspace_service_account_token(**token)


def test_a_token_is_found_under_its_own_account_only(amg: Any, account: dict[str, str]) -> None:
    made = amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    token_id = made["serviceAccountToken"]["id"]
    for other in ({**account, "serviceAccountId": "2"}, {**account, "workspaceId": MOBILE}):
        with pytest.raises(amg.exceptions.ResourceNotFoundException):
            amg.delete_workspace_service_account_token(**other, tokenId=token_id)


@pytest.mark.parametrize("odd_id", ["x", "03", "1" * 30, "-3", "3 ", "²", "..%2F", "a/b"])
def test_an_odd_account_id_is_not_found(amg: Any, odd_id: str) -> None:
    with pytest.raises(amg.exceptions.ResourceNotFoundException) as caught:
        amg.list_workspace_service_account_tokens(workspaceId=PROD, serviceAccountId=odd_id)
    assert caught.value.response["resourceId"] == odd_id


def test_a_taken_name_is_a_validation_error_when_the_setting_says_400(
    amg: Any, account: dict[str, str], sandbox: SandboxProcess
) -> None:
    sandbox.settings(duplicate_status=400)
    amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    with pytest.raises(amg.exceptions.ValidationException, match="already exists") as caught:
        amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    assert caught.value.response["reason"] == "OTHER"


def test_an_accounts_name_is_taken_too(amg: Any) -> None:
    with pytest.raises(amg.exceptions.ConflictException, match="already exists"):
        amg.create_workspace_service_account(
            workspaceId=PROD, name="terraform", grafanaRole="ADMIN"
        )


def test_the_quota_of_accounts_is_a_typed_error_with_every_member(
    amg: Any, sandbox: SandboxProcess
) -> None:
    sandbox.settings(account_quota=4)
    with pytest.raises(amg.exceptions.ServiceQuotaExceededException) as caught:
        amg.create_workspace_service_account(workspaceId=PROD, name="fifth", grafanaRole="ADMIN")
    shape = amg.meta.service_model.shape_for("ServiceQuotaExceededException")
    assert set(shape.required_members) <= set(caught.value.response)


def test_a_workspace_that_is_not_active_conflicts_without_speaking_of_a_name(
    amg: Any, account: dict[str, str], sandbox: SandboxProcess
) -> None:
    sandbox.put_workspace(PROD, status="UPDATING")
    with pytest.raises(amg.exceptions.ConflictException) as caught:
        amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    assert "exist" not in str(caught.value)


def test_a_workspace_before_grafana_9_has_no_service_accounts(
    amg: Any, sandbox: SandboxProcess
) -> None:
    sandbox.put_workspace(PROD, grafana_version="8.4")
    with pytest.raises(amg.exceptions.ValidationException, match=r"8\.4"):
        amg.list_workspace_service_accounts(workspaceId=PROD)


TOKENS = f"/workspaces/{PROD}/serviceaccounts/2/tokens"
NAME, SECONDS = "name", "secondsToLive"


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {NAME, SECONDS}),
        ({NAME: "", SECONDS: 60}, {NAME}),
        ({NAME: "x" * 129, SECONDS: 60}, {NAME}),
        ({NAME: 7, SECONDS: 60}, {NAME}),
        ({NAME: None, SECONDS: 60}, {NAME}),
        ({NAME: "\ud800", SECONDS: 60}, {NAME}),
        ({NAME: "x", SECONDS: 0}, {SECONDS}),
        ({NAME: "x", SECONDS: 2_592_001}, {SECONDS}),
        ({NAME: "x", SECONDS: "60"}, {SECONDS}),
        ({NAME: "x", SECONDS: 60.5}, {SECONDS}),
        ({NAME: "x", SECONDS: True}, {SECONDS}),
    ],
)
def test_a_token_that_the_model_forbids_is_refused_with_every_wrong_field(
    sandbox: SandboxProcess, body: dict[str, Any], wrong: set[str]
) -> None:
    answer = send_signed(sandbox, "POST", TOKENS, json.dumps(body).encode())
    assert (answer.status, answer.error) == (400, "ValidationException")
    assert answer.json["reason"] == "FIELD_VALIDATION_FAILED"
    assert {field["name"] for field in answer.json["fieldList"]} == wrong
    assert sandbox.live_tokens() == []


@pytest.mark.parametrize(
    "body", [{NAME: "x", SECONDS: 1}, {NAME: "é" * 128, SECONDS: 2_592_000, "more": 1}]
)
def test_the_limits_themselves_are_allowed(sandbox: SandboxProcess, body: dict[str, Any]) -> None:
    assert send_signed(sandbox, "POST", TOKENS, json.dumps(body).encode()).status == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff", b'"text"'])
def test_a_body_that_is_no_json_object_cannot_be_parsed(
    sandbox: SandboxProcess, body: bytes
) -> None:
    answer = send_signed(sandbox, "POST", TOKENS, body)
    assert (answer.status, answer.json["reason"]) == (400, "CANNOT_PARSE")


@pytest.mark.parametrize("role", ["OWNER", "admin", "", None, ["ADMIN"]])
def test_a_role_that_the_model_does_not_know_is_refused(
    sandbox: SandboxProcess, role: object
) -> None:
    body = json.dumps({"name": "x", "grafanaRole": role}).encode()
    answer = send_signed(sandbox, "POST", f"/workspaces/{PROD}/serviceaccounts", body)
    assert [field["name"] for field in answer.json["fieldList"]] == ["grafanaRole"]


@pytest.mark.parametrize("workspace_id", ["g-1A2B3C4D5E", "g-1a2b3c4d5", "prod", f"{PROD}%0A"])
def test_a_workspace_id_that_is_none_is_a_validation_error(
    sandbox: SandboxProcess, workspace_id: str
) -> None:
    answer = send_signed(sandbox, "GET", f"/workspaces/{workspace_id}")
    assert (answer.status, answer.json["fieldList"][0]["name"]) == (400, "workspaceId")


@pytest.mark.parametrize("query", ["maxResults=0", "maxResults=101", "maxResults=x"])
def test_a_page_size_outside_1_to_100_is_refused(sandbox: SandboxProcess, query: str) -> None:
    answer = send_signed(sandbox, "GET", f"/workspaces?{query}")
    assert (answer.status, answer.json["fieldList"][0]["name"]) == (400, "maxResults")


def test_a_next_token_of_another_list_is_refused(amg: Any, account: dict[str, str]) -> None:
    next_token = amg.list_workspaces(maxResults=1)["nextToken"]
    assert set("+/") <= set(next_token)  # so that a client must percent-encode it
    for given in (next_token, "x", "AAAA"):
        with pytest.raises(amg.exceptions.ValidationException) as caught:
            amg.list_workspace_service_account_tokens(**account, nextToken=given)
        assert caught.value.response["fieldList"][0]["name"] == "nextToken"


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/workspaces"), ("DELETE", f"{TOKENS}/"), ("GET", "/"), ("GET", f"{TOKENS}/1/2")],
)
def test_a_request_that_is_no_operation_is_unknown(
    sandbox: SandboxProcess, method: str, path: str
) -> None:
    answer = send_signed(sandbox, method, path)
    assert (answer.status, answer.error) == (404, "UnknownOperationException")
