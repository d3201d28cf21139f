"""One contract, kept by everybody who speaks for AMG or to it.

The same class runs over our client and over AWS's own (boto3 behind the same interface), each
against the sandbox: where the three agree, neither client nor sandbox has drifted from AWS.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
from botocore.exceptions import ClientError

from portal.grafana import wire
from portal.grafana.client import Client
from portal.grafana.errors import (
    ConflictException,
    GrafanaError,
    ResourceNotFoundException,
    ServiceQuotaExceededException,
    ThrottlingException,
    error_class,
)
from portal.grafana.types import (
    CreatedToken,
    Key,
    ServiceAccount,
    TokenList,
    TokenSummary,
    Workspace,
)
from tests.grafana.sandbox_process import MOBILE, PROD, SandboxProcess

HOUR = 3_600
CREATE = "CreateWorkspaceServiceAccountToken"


class Amg(Protocol):
    """What the portal needs of AMG."""

    def list_workspaces(self) -> tuple[Workspace, ...]: ...
    def describe_workspace(self, workspace_id: str) -> Workspace: ...
    def list_service_accounts(self, workspace_id: str) -> tuple[ServiceAccount, ...]: ...
    def create_token(
        self, workspace_id: str, service_account_id: str, *, name: str, seconds_to_live: int
    ) -> CreatedToken: ...
    def list_tokens(self, workspace_id: str, service_account_id: str) -> TokenList: ...
    def delete_token(self, workspace_id: str, service_account_id: str, token_id: str) -> str: ...


class Boto3:
    """AWS's own client behind our interface."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def list_workspaces(self) -> tuple[Workspace, ...]:
        pages = self._pages("list_workspaces", "workspaces")
        return tuple(wire.workspace(one) for one in pages)

    def describe_workspace(self, workspace_id: str) -> Workspace:
        answer = self._call("describe_workspace", workspaceId=workspace_id)
        return wire.workspace(answer["workspace"])

    def list_service_accounts(self, workspace_id: str) -> tuple[ServiceAccount, ...]:
        pages = self._pages(
            "list_workspace_service_accounts", "serviceAccounts", workspaceId=workspace_id
        )
        return tuple(wire.service_account(one) for one in pages)

    def create_token(
        self, workspace_id: str, service_account_id: str, *, name: str, seconds_to_live: int
    ) -> CreatedToken:
        answer = self._call(
            "create_workspace_service_account_token",
            workspaceId=workspace_id,
            serviceAccountId=service_account_id,
            name=name,
            secondsToLive=seconds_to_live,
        )
        token = answer["serviceAccountToken"]
        return CreatedToken(
            id=token["id"],
            name=token["name"],
            key=Key(token["key"]),
            answered_at=None,
            request_id=answer["ResponseMetadata"]["RequestId"],
        )

    def list_tokens(self, workspace_id: str, service_account_id: str) -> TokenList:
        found = self._pages(
            "list_workspace_service_account_tokens",
            "serviceAccountTokens",
            workspaceId=workspace_id,
            serviceAccountId=service_account_id,
        )
        tokens = tuple(
            TokenSummary(
                id=one["id"],
                name=one["name"],
                created_at=one["createdAt"].astimezone(UTC),
                expires_at=one["expiresAt"].astimezone(UTC),
                last_used_at=one.get("lastUsedAt"),
            )
            for one in found
        )
        return TokenList(tokens=tokens, answered_at=None, request_id="")

    def delete_token(self, workspace_id: str, service_account_id: str, token_id: str) -> str:
        answer = self._call(
            "delete_workspace_service_account_token",
            workspaceId=workspace_id,
            serviceAccountId=service_account_id,
            tokenId=token_id,
        )
        return str(answer["ResponseMetadata"]["RequestId"])

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, operation)(**arguments)
        except ClientError as error:
            raise _translated(error) from None

    def _pages(self, operation: str, member: str, **arguments: Any) -> list[Any]:
        try:
            pages = self._client.get_paginator(operation).paginate(**arguments)
            return [one for page in pages for one in page[member]]
        except ClientError as error:
            raise _translated(error) from None


def _translated(error: ClientError) -> GrafanaError:
    answer = error.response
    metadata = answer["ResponseMetadata"]
    return error_class(answer["Error"]["Code"])(
        answer["Error"]["Message"],
        operation=error.operation_name,
        code=answer["Error"]["Code"],
        status=metadata["HTTPStatusCode"],
        request_id=metadata["RequestId"],
        retry_after=float(metadata["HTTPHeaders"].get("retry-after", "nan")),
    )


@pytest.fixture(params=["our client", "boto3"])
def contract(
    request: pytest.FixtureRequest, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Amg]:
    if request.param == "boto3":
        yield Boto3(request.getfixturevalue("amg"))
        return
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    client = Client()
    yield client
    client.close()


@pytest.fixture
def editor(contract: Amg) -> ServiceAccount:
    return next(one for one in contract.list_service_accounts(PROD) if one.grafana_role == "EDITOR")


class TestContract:
    """What the portal relies on."""

    def test_workspaces_carry_what_the_catalog_shows(self, contract: Amg) -> None:
        workspaces = {one.id: one for one in contract.list_workspaces()}
        assert {PROD, MOBILE} <= set(workspaces)
        assert workspaces[PROD].status == "ACTIVE"
        assert contract.describe_workspace(PROD) == workspaces[PROD]

    def test_a_list_is_read_to_its_last_page(
        self, contract: Amg, sandbox: SandboxProcess, editor: ServiceAccount
    ) -> None:
        names = [f"page-{number}" for number in range(7)]
        for name in names:
            contract.create_token(PROD, editor.id, name=name, seconds_to_live=HOUR)
        sandbox.settings(page_size=2)
        listed = contract.list_tokens(PROD, editor.id).tokens
        assert sorted(one.name for one in listed) == names

    def test_a_key_comes_once_and_the_list_tells_its_times(
        self, contract: Amg, editor: ServiceAccount
    ) -> None:
        created = contract.create_token(PROD, editor.id, name="once", seconds_to_live=HOUR)
        assert created.key.reveal().startswith("glsa_")
        assert created.request_id
        [listed] = contract.list_tokens(PROD, editor.id).tokens
        assert (listed.id, listed.name, listed.last_used_at) == (created.id, "once", None)
        assert listed.created_at is not None
        assert listed.expires_at is not None
        assert abs((listed.expires_at - listed.created_at).total_seconds() - HOUR) < 1
        assert abs((datetime.now(UTC) - listed.created_at).total_seconds()) < 30

    @pytest.mark.parametrize("status", [409, 400])
    def test_a_name_lives_once_in_a_workspace_whatever_the_account(
        self, contract: Amg, sandbox: SandboxProcess, status: int
    ) -> None:
        sandbox.settings(duplicate_status=status)
        first, second, *_ = contract.list_service_accounts(PROD)
        contract.create_token(PROD, first.id, name="mine", seconds_to_live=HOUR)
        with pytest.raises(GrafanaError) as caught:
            contract.create_token(PROD, second.id, name="mine", seconds_to_live=HOUR)
        assert caught.value.status == status
        assert caught.value.speaks_of_existing_name
        assert not caught.value.outcome_unknown

    def test_an_expired_token_keeps_its_name_and_its_place_until_deleted(
        self, contract: Amg, sandbox: SandboxProcess, editor: ServiceAccount
    ) -> None:
        sandbox.settings(token_quota=1)
        old = contract.create_token(PROD, editor.id, name="old", seconds_to_live=60)
        sandbox.advance(61)
        with pytest.raises(ServiceQuotaExceededException):
            contract.create_token(PROD, editor.id, name="new", seconds_to_live=60)
        assert [one.name for one in contract.list_tokens(PROD, editor.id).tokens] == ["old"]
        contract.delete_token(PROD, editor.id, old.id)
        contract.create_token(PROD, editor.id, name="old", seconds_to_live=60)

    def test_a_deleted_token_is_not_found(self, contract: Amg, editor: ServiceAccount) -> None:
        created = contract.create_token(PROD, editor.id, name="gone", seconds_to_live=HOUR)
        assert contract.delete_token(PROD, editor.id, created.id)
        with pytest.raises(ResourceNotFoundException) as caught:
            contract.delete_token(PROD, editor.id, created.id)
        assert caught.value.request_id

    @pytest.mark.parametrize(
        ("fault", "kind", "is_unknown"),
        [
            ({"type": "ThrottlingException", "status": 429}, ThrottlingException, False),
            ({"type": "ConflictException", "status": 409}, ConflictException, False),
            ({"type": "InternalServerException", "status": 500}, GrafanaError, True),
        ],
        ids=["throttled", "busy", "failed"],
    )
    def test_an_error_says_whether_a_token_may_have_been_made(
        self,
        contract: Amg,
        sandbox: SandboxProcess,
        editor: ServiceAccount,
        fault: dict[str, Any],
        kind: type[GrafanaError],
        is_unknown: bool,
    ) -> None:
        sandbox.fault("error", "before", operation=CREATE, headers={"Retry-After": "3"}, **fault)
        with pytest.raises(kind) as caught:
            contract.create_token(PROD, editor.id, name="n", seconds_to_live=HOUR)
        assert caught.value.outcome_unknown is is_unknown
        assert caught.value.retry_after == 3.0
        assert caught.value.request_id

    def test_a_create_that_answers_500_may_have_made_a_token(
        self, contract: Amg, sandbox: SandboxProcess, editor: ServiceAccount
    ) -> None:
        sandbox.fault("error", "after", operation=CREATE, status=500)
        with pytest.raises(GrafanaError) as caught:
            contract.create_token(PROD, editor.id, name="ghost", seconds_to_live=HOUR)
        assert caught.value.outcome_unknown
        assert len(sandbox.calls(CREATE)) == 1, "sent once"
        assert [one.name for one in contract.list_tokens(PROD, editor.id).tokens] == ["ghost"]


_our_client_keeps_it: Callable[..., Amg] = Client
