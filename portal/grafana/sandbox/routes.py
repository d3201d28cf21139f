"""Which request is which operation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from portal.grafana.sandbox import operations
from portal.grafana.sandbox.operations import Arguments
from portal.grafana.sandbox.world import World

_WORKSPACE = "/workspaces/{workspaceId}"
_ACCOUNTS = f"{_WORKSPACE}/serviceaccounts"
_ACCOUNT = f"{_ACCOUNTS}/{{serviceAccountId}}"
_TOKENS = f"{_ACCOUNT}/tokens"
_TOKEN = f"{_TOKENS}/{{tokenId}}"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation by AWS's name; `template` is its path, with labels in braces."""

    name: str
    method: str
    template: str
    perform: Callable[[World, Arguments], dict[str, Any]]

    def labels(self, path: str) -> dict[str, str] | None:
        """The decoded labels of a path of this form, or None for another. No label is empty."""
        parts, segments = self.template.split("/"), path.split("/")
        if len(parts) != len(segments):
            return None
        labels = {}
        for part, segment in zip(parts, segments, strict=True):
            if part.startswith("{") and segment:
                labels[part[1:-1]] = unquote(segment)
            elif part != segment:
                return None
        return labels


OPERATIONS = (
    Operation("ListWorkspaces", "GET", "/workspaces", operations.list_workspaces),
    Operation("DescribeWorkspace", "GET", _WORKSPACE, operations.describe_workspace),
    Operation("ListWorkspaceServiceAccounts", "GET", _ACCOUNTS, operations.list_service_accounts),
    Operation(
        "CreateWorkspaceServiceAccount", "POST", _ACCOUNTS, operations.create_service_account
    ),
    Operation(
        "DeleteWorkspaceServiceAccount", "DELETE", _ACCOUNT, operations.delete_service_account
    ),
    Operation("ListWorkspaceServiceAccountTokens", "GET", _TOKENS, operations.list_tokens),
    Operation("CreateWorkspaceServiceAccountToken", "POST", _TOKENS, operations.create_token),
    Operation("DeleteWorkspaceServiceAccountToken", "DELETE", _TOKEN, operations.delete_token),
)


def find(method: str, path: str) -> tuple[Operation, Mapping[str, str]] | None:
    """The operation that a request line names, with the labels of its path."""
    for operation in OPERATIONS:
        if operation.method == method:
            labels = operation.labels(path)
            if labels is not None:
                return operation, labels
    return None
