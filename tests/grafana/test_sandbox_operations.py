"""boto3 takes the sandbox for Amazon Managed Grafana: each operation, with all its members."""

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from portal.grafana.sandbox.routes import OPERATIONS
from portal.grafana.sandbox.settings import OPERATIONS as OPERATION_NAMES
from tests.grafana.sandbox_process import MOBILE, PROD, STAGING, SandboxProcess

DAY = 24 * 60 * 60


def test_it_routes_by_the_official_model_every_operation_it_names(amg: Any) -> None:
    model = amg.meta.service_model
    for operation in OPERATIONS:
        http = model.operation_model(operation.name).http
        assert (operation.method, operation.template) == (http["method"], http["requestUri"])
    assert {operation.name for operation in OPERATIONS} == set(OPERATION_NAMES)


def test_the_demo_has_three_active_workspaces_and_mobiles_is_the_last_by_name(amg: Any) -> None:
    workspaces = amg.list_workspaces()["workspaces"]
    assert sorted((each["name"], each["id"]) for each in workspaces) == [
        ("observability-prod", PROD),
        ("observability-staging", STAGING),
        ("retail-mobile", MOBILE),
    ]
    assert {(each["status"], each["grafanaVersion"]) for each in workspaces} == {("ACTIVE", "10.4")}


def test_a_workspace_is_described_with_all_that_the_model_requires(
    amg: Any, sandbox: SandboxProcess
) -> None:
    workspace = amg.describe_workspace(workspaceId=PROD)["workspace"]
    output = amg.meta.service_model.shape_for("WorkspaceDescription")
    assert set(output.required_members) <= set(workspace)
    assert workspace["endpoint"] == f"{sandbox.url}/grafana/{PROD}"
    assert abs(datetime.now(UTC) - workspace["created"]) < timedelta(minutes=5)


def test_service_accounts_are_listed_with_roles_in_lower_case_and_isdisabled_as_text(
    amg: Any,
) -> None:
    accounts = amg.list_workspace_service_accounts(workspaceId=PROD)["serviceAccounts"]
    assert {each["grafanaRole"] for each in accounts} == {"admin", "editor", "viewer"}
    assert [each["name"] for each in accounts if each["isDisabled"] == "true"] == ["old-importer"]
    assert {each["isDisabled"] for each in accounts} == {"true", "false"}


def test_roles_in_upper_case_and_a_boolean_isdisabled_are_settings(
    amg: Any, sandbox: SandboxProcess
) -> None:
    sandbox.settings(role_case="upper", is_disabled_as="boolean")
    accounts = amg.list_workspace_service_accounts(workspaceId=PROD)["serviceAccounts"]
    assert {each["grafanaRole"] for each in accounts} == {"ADMIN", "EDITOR", "VIEWER"}
    assert {each["isDisabled"] for each in accounts} == {True, False}


def test_an_account_can_be_made_and_deleted_and_its_tokens_go_with_it(
    amg: Any, sandbox: SandboxProcess
) -> None:
    made = amg.create_workspace_service_account(
        workspaceId=PROD, name="short-lived", grafanaRole="VIEWER"
    )
    assert (made["workspaceId"], made["name"], made["grafanaRole"]) == (
        PROD,
        "short-lived",
        "VIEWER",
    )
    ids = {"workspaceId": PROD, "serviceAccountId": made["id"]}
    amg.create_workspace_service_account_token(**ids, name="t", secondsToLive=60)
    deleted = amg.delete_workspace_service_account(**ids)
    assert deleted["serviceAccountId"] == made["id"]
    assert sandbox.live_tokens() == []
    names = amg.list_workspace_service_accounts(workspaceId=PROD)["serviceAccounts"]
    assert "short-lived" not in {each["name"] for each in names}


def test_a_created_token_carries_a_key_with_the_checksum_grafana_checks(
    amg: Any, account: dict[str, str]
) -> None:
    made = amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    assert made["workspaceId"] == account["workspaceId"]
    assert made["serviceAccountId"] == account["serviceAccountId"]
    token = made["serviceAccountToken"]
    assert token["name"] == "ci"
    body, checksum = token["key"].rsplit("_", 1)
    prefix, secret = body.split("_")
    assert prefix == "glsa"
    assert len(secret) == 32
    assert secret.isalnum()
    assert checksum == zlib.crc32(body.encode()).to_bytes(4, "little").hex()


def test_a_listed_token_tells_when_it_was_made_and_ends_and_no_key(
    amg: Any, account: dict[str, str]
) -> None:
    before = datetime.now(UTC)
    made = amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=DAY)
    after = datetime.now(UTC)
    listed = amg.list_workspace_service_account_tokens(**account)
    assert {name: listed[name] for name in account} == account
    [token] = listed["serviceAccountTokens"]
    assert set(token) == {"id", "name", "createdAt", "expiresAt"}  # and no lastUsedAt: it is null
    assert token["id"] == made["serviceAccountToken"]["id"]
    millisecond = timedelta(milliseconds=1)
    assert before - millisecond <= token["createdAt"] <= after + millisecond
    assert token["expiresAt"] - token["createdAt"] == timedelta(days=1)


def test_a_deleted_token_is_gone_and_frees_its_name(amg: Any, account: dict[str, str]) -> None:
    made = amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    token_id = made["serviceAccountToken"]["id"]
    deleted = amg.delete_workspace_service_account_token(**account, tokenId=token_id)
    assert deleted["tokenId"] == token_id
    assert amg.list_workspace_service_account_tokens(**account)["serviceAccountTokens"] == []
    again = amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    assert again["serviceAccountToken"]["id"] != token_id


def test_ids_count_from_the_start_in_every_workspace_as_in_every_grafana(amg: Any) -> None:
    ids = [
        amg.create_workspace_service_account_token(
            workspaceId=workspace_id, serviceAccountId="2", name="ci", secondsToLive=60
        )["serviceAccountToken"]["id"]
        for workspace_id in (PROD, MOBILE)
    ]
    assert ids[0] == ids[1]


def test_a_name_is_taken_in_the_whole_workspace_and_free_in_the_next(
    amg: Any, account: dict[str, str]
) -> None:
    amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    other = {**account, "serviceAccountId": "2"}
    assert other != account
    with pytest.raises(amg.exceptions.ConflictException, match="already exists"):
        amg.create_workspace_service_account_token(**other, name="ci", secondsToLive=60)
    elsewhere = {"workspaceId": MOBILE, "serviceAccountId": "2"}
    amg.create_workspace_service_account_token(**elsewhere, name="ci", secondsToLive=60)


def test_an_expired_token_stays_listed_keeps_its_name_and_deletes_like_any(
    amg: Any, account: dict[str, str], sandbox: SandboxProcess
) -> None:
    amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    sandbox.advance(61)
    assert sandbox.live_tokens() == []
    [token] = amg.list_workspace_service_account_tokens(**account)["serviceAccountTokens"]
    with pytest.raises(amg.exceptions.ConflictException, match="already exists"):
        amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    amg.delete_workspace_service_account_token(**account, tokenId=token["id"])
    assert amg.list_workspace_service_account_tokens(**account)["serviceAccountTokens"] == []


def test_the_date_header_and_createdat_go_by_the_advanced_clock(
    amg: Any, account: dict[str, str], sandbox: SandboxProcess
) -> None:
    sandbox.advance(DAY)
    made = amg.create_workspace_service_account_token(**account, name="ci", secondsToLive=60)
    date = made["ResponseMetadata"]["HTTPHeaders"]["date"]
    answered = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=UTC)
    [token] = amg.list_workspace_service_account_tokens(**account)["serviceAccountTokens"]
    assert abs(answered - token["createdAt"]) <= timedelta(seconds=2)
    assert answered - datetime.now(UTC) > timedelta(hours=23)


def test_every_answer_names_its_request(amg: Any, sandbox: SandboxProcess) -> None:
    request_ids = [
        amg.list_workspaces()["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"],
        amg.describe_workspace(workspaceId=PROD)["ResponseMetadata"]["RequestId"],
    ]
    assert [call["request_id"] for call in sandbox.calls()] == request_ids


@pytest.mark.parametrize("page_size", [1, 2, 3])
def test_paginators_find_every_item_once(
    amg: Any, account: dict[str, str], sandbox: SandboxProcess, page_size: int
) -> None:
    names = [f"token-{number}" for number in range(4)]
    for name in names:
        amg.create_workspace_service_account_token(**account, name=name, secondsToLive=60)
    paging = {"PaginationConfig": {"PageSize": page_size}}

    def listed(operation: str, member: str, **ids: str) -> list[str]:
        pages = amg.get_paginator(operation).paginate(**ids, **paging)
        return [item["name"] for page in pages for item in page[member]]

    assert listed("list_workspace_service_account_tokens", "serviceAccountTokens", **account) == (
        names
    )
    assert len(listed("list_workspaces", "workspaces")) == 3
    accounts = listed("list_workspace_service_accounts", "serviceAccounts", workspaceId=PROD)
    assert sorted(accounts) == ["dashboards-ci", "old-importer", "status-page", "terraform"]
    pages = [call for call in sandbox.calls() if call["operation"] == "ListWorkspaces"]
    assert len(pages) == -(-3 // page_size)


def test_pages_are_short_without_maxresults_when_the_setting_says_so(
    amg: Any, sandbox: SandboxProcess
) -> None:
    sandbox.settings(page_size=2)
    first = amg.list_workspaces()
    assert len(first["workspaces"]) == 2
    second = amg.list_workspaces(nextToken=first["nextToken"])
    assert len(second["workspaces"]) == 1
    assert "nextToken" not in second


def test_the_quota_counts_expired_tokens_until_they_are_deleted(
    amg: Any, account: dict[str, str], sandbox: SandboxProcess
) -> None:
    sandbox.settings(token_quota=3)
    other = {**account, "serviceAccountId": "2"}
    for number, ids in enumerate((account, account, other)):
        amg.create_workspace_service_account_token(**ids, name=f"t{number}", secondsToLive=60)
    sandbox.advance(DAY)
    assert sandbox.live_tokens() == []
    with pytest.raises(amg.exceptions.ServiceQuotaExceededException):
        amg.create_workspace_service_account_token(**account, name="one-more", secondsToLive=60)
    elsewhere = {"workspaceId": MOBILE, "serviceAccountId": "2"}
    amg.create_workspace_service_account_token(**elsewhere, name="one-more", secondsToLive=60)
    [expired, *_] = amg.list_workspace_service_account_tokens(**account)["serviceAccountTokens"]
    amg.delete_workspace_service_account_token(**account, tokenId=expired["id"])
    amg.create_workspace_service_account_token(**account, name="one-more", secondsToLive=60)


def test_the_quota_is_a_hundred_tokens_unless_set(amg: Any, account: dict[str, str]) -> None:
    for number in range(100):
        amg.create_workspace_service_account_token(**account, name=f"t{number}", secondsToLive=60)
    with pytest.raises(ClientError) as refused:
        amg.create_workspace_service_account_token(**account, name="t100", secondsToLive=60)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 402


def test_a_disabled_account_accepts_a_token(amg: Any) -> None:
    accounts = amg.list_workspace_service_accounts(workspaceId=PROD)["serviceAccounts"]
    [disabled] = [each["id"] for each in accounts if each["isDisabled"] == "true"]
    made = amg.create_workspace_service_account_token(
        workspaceId=PROD, serviceAccountId=disabled, name="ci", secondsToLive=60
    )
    assert made["serviceAccountToken"]["key"]


def test_a_test_can_change_workspaces_and_accounts(amg: Any, sandbox: SandboxProcess) -> None:
    sandbox.put_workspace(PROD, name="renamed")
    sandbox.put_workspace("g-0000000000", status="CREATING", grafana_version="8.4")
    sandbox.delete_workspace(MOBILE)
    sandbox.change_service_account(PROD, "2", name="raised", role="ADMIN", is_disabled=True)
    workspaces = {each["id"]: each for each in amg.list_workspaces()["workspaces"]}
    assert set(workspaces) == {PROD, STAGING, "g-0000000000"}
    assert workspaces[PROD]["name"] == "renamed"
    assert workspaces["g-0000000000"]["status"] == "CREATING"
    accounts = amg.list_workspace_service_accounts(workspaceId=PROD)["serviceAccounts"]
    assert {"id": "2", "name": "raised", "grafanaRole": "admin", "isDisabled": "true"} in accounts
