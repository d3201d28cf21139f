"""What the operations of Amazon Managed Grafana do, by its service model of 2020-08-18."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.grafana.sandbox.catalog import ServiceAccount, Workspace
from portal.grafana.sandbox.database import NameTakenError
from portal.grafana.sandbox.errors import AwsError, conflict, not_found, quota_exceeded
from portal.grafana.sandbox.keys import digest, new_key
from portal.grafana.sandbox.paging import Page
from portal.grafana.sandbox.seed import NOT_RUNNING
from portal.grafana.sandbox.tokens import Token
from portal.grafana.sandbox.validation import Violations, row_id
from portal.grafana.sandbox.world import World

OLDEST_GRAFANA = 9
"""The first major version with service accounts."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Arguments:
    path: str
    labels: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]


def list_workspaces(world: World, arguments: Arguments) -> Json:
    violations = Violations()
    page = _page(world, arguments, violations)
    violations.check()
    return page.answer(
        "workspaces",
        world.catalog.workspaces(after=page.after, limit=page.fetch),
        show=lambda workspace: _workspace(world, workspace),
        position=lambda workspace: workspace.position,
    )


def describe_workspace(world: World, arguments: Arguments) -> Json:
    violations = Violations()
    workspace_id = violations.workspace_id(arguments.labels)
    violations.check()
    return {
        "workspace": {
            **_workspace(world, _find_workspace(world, workspace_id)),
            "accountAccessType": "CURRENT_ACCOUNT",
            "dataSources": ["CLOUDWATCH", "PROMETHEUS"],
            "permissionType": "SERVICE_MANAGED",
        }
    }


def list_service_accounts(world: World, arguments: Arguments) -> Json:
    violations = Violations()
    workspace_id = violations.workspace_id(arguments.labels)
    page = _page(world, arguments, violations)
    violations.check()
    _usable_workspace(world, workspace_id)
    shown = page.answer(
        "serviceAccounts",
        world.catalog.service_accounts(workspace_id, after=page.after, limit=page.fetch),
        show=lambda account: _service_account(world, account),
        position=lambda account: account.id,
    )
    return {**shown, "workspaceId": workspace_id}


def create_service_account(world: World, arguments: Arguments) -> Json:
    violations = Violations()
    workspace_id = violations.workspace_id(arguments.labels)
    name = violations.name(arguments.body)
    role = violations.role(arguments.body)
    violations.check()
    _usable_workspace(world, workspace_id)
    quota = world.settings.account_quota
    if world.catalog.count_service_accounts(workspace_id) >= quota:
        raise quota_exceeded(workspace_id, "SERVICE_ACCOUNT", quota)
    try:
        account_id = world.catalog.add_service_account(workspace_id, name=name, role=role)
    except NameTakenError:
        raise _duplicate(world, workspace_id, "SERVICE_ACCOUNT", name) from None
    return {
        "id": str(account_id),
        "name": name,
        "grafanaRole": role,
        "workspaceId": workspace_id,
    }


def delete_service_account(world: World, arguments: Arguments) -> Json:
    violations = Violations()
    workspace_id = violations.workspace_id(arguments.labels)
    violations.check()
    account = _find_account(world, workspace_id, arguments.labels)
    world.catalog.delete_service_account(workspace_id, account.id)
    return {"serviceAccountId": str(account.id), "workspaceId": workspace_id}


def list_tokens(world: World, arguments: Arguments) -> Json:
    violations = Violations()
    workspace_id = violations.workspace_id(arguments.labels)
    page = _page(world, arguments, violations)
    violations.check()
    account = _find_account(world, workspace_id, arguments.labels)
    shown = page.answer(
        "serviceAccountTokens",
        world.tokens.of_account(workspace_id, account.id, after=page.after, limit=page.fetch),
        show=_token,
        position=lambda token: token.id,
    )
    return {**shown, "serviceAccountId": str(account.id), "workspaceId": workspace_id}


def create_token(world: World, arguments: Arguments) -> Json:
    """The one answer that holds the key. A disabled account gets its token like any other."""
    violations = Violations()
    workspace_id = violations.workspace_id(arguments.labels)
    name = violations.name(arguments.body)
    seconds_to_live = violations.seconds_to_live(arguments.body)
    violations.check()
    account = _find_account(world, workspace_id, arguments.labels)
    quota = world.settings.token_quota
    if world.tokens.count(workspace_id) >= quota:
        raise quota_exceeded(workspace_id, "SERVICE_ACCOUNT_TOKEN", quota)
    key, now = new_key(), world.now()
    try:
        token_id = world.tokens.add(
            workspace_id,
            account.id,
            name=name,
            key_sha256=digest(key),
            created=now,
            expires=now + seconds_to_live,
        )
    except NameTakenError:
        raise _duplicate(world, workspace_id, "SERVICE_ACCOUNT_TOKEN", name) from None
    return {
        "workspaceId": workspace_id,
        "serviceAccountId": str(account.id),
        "serviceAccountToken": {"id": str(token_id), "name": name, "key": key},
    }


def delete_token(world: World, arguments: Arguments) -> Json:
    violations = Violations()
    workspace_id = violations.workspace_id(arguments.labels)
    violations.check()
    account = _find_account(world, workspace_id, arguments.labels)
    token_id = arguments.labels["tokenId"]
    number = row_id(token_id)
    if number is None or not world.tokens.delete(workspace_id, account.id, number):
        raise not_found("SERVICE_ACCOUNT_TOKEN", token_id)
    return {
        "tokenId": token_id,
        "serviceAccountId": str(account.id),
        "workspaceId": workspace_id,
    }


def _find_workspace(world: World, workspace_id: str) -> Workspace:
    workspace = world.catalog.workspace(workspace_id)
    if workspace is None:
        raise not_found("WORKSPACE", workspace_id)
    return workspace


def _usable_workspace(world: World, workspace_id: str) -> None:
    workspace = _find_workspace(world, workspace_id)
    if workspace.status in NOT_RUNNING:
        raise conflict("WORKSPACE", workspace_id, f"The workspace is {workspace.status}.")
    if int(workspace.grafana_version.partition(".")[0]) < OLDEST_GRAFANA:
        raise AwsError(
            "ValidationException",
            f"Service accounts need Grafana {OLDEST_GRAFANA} or newer,"
            f" and the workspace has {workspace.grafana_version}.",
        )


def _find_account(world: World, workspace_id: str, labels: Mapping[str, str]) -> ServiceAccount:
    """The account in a workspace that runs and is new enough for it."""
    _usable_workspace(world, workspace_id)
    account_id = labels["serviceAccountId"]
    number = row_id(account_id)
    account = None if number is None else world.catalog.service_account(workspace_id, number)
    if account is None:
        raise not_found("SERVICE_ACCOUNT", account_id)
    return account


def _duplicate(world: World, workspace_id: str, resource_type: str, name: str) -> AwsError:
    words = resource_type.replace("_", " ").lower()
    message = f"A {words} of the name {name} already exists in the workspace."
    if world.settings.duplicate_status == 409:
        return conflict(resource_type, workspace_id, message)
    return AwsError("ValidationException", message)


def _page(world: World, arguments: Arguments, violations: Violations) -> Page:
    return Page.asked_for(
        arguments.path,
        arguments.query,
        default=world.settings.page_size,
        violations=violations,
    )


def _workspace(world: World, workspace: Workspace) -> Json:
    return {
        "id": workspace.id,
        "name": workspace.name,
        "status": workspace.status,
        "grafanaVersion": workspace.grafana_version,
        "endpoint": f"{world.url}/grafana/{workspace.id}",
        "authentication": {"providers": ["AWS_SSO"]},
        "created": round(workspace.created, 3),
        "modified": round(workspace.modified, 3),
    }


def _service_account(world: World, account: ServiceAccount) -> Json:
    settings = world.settings
    text = "true" if account.is_disabled else "false"
    return {
        "id": str(account.id),
        "name": account.name,
        "grafanaRole": account.role.lower() if settings.role_case == "lower" else account.role,
        "isDisabled": text if settings.is_disabled_as == "string" else account.is_disabled,
    }


def _token(token: Token) -> Json:
    return {
        "id": str(token.id),
        "name": token.name,
        "createdAt": round(token.created, 3),
        "expiresAt": round(token.expires, 3),
        "lastUsedAt": None if token.last_used is None else round(token.last_used, 3),
    }
