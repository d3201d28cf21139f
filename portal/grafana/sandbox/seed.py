"""What a new data file begins with: a demo, or what ``--seed FILE`` says.

The file is JSON, in AWS's own words:

    {"workspaces": [{
        "id": "g-1a2b3c4d5e",
        "name": "observability-prod",
        "status": "ACTIVE",                           # optional; as DescribeWorkspace says it
        "grafanaVersion": "10.4",                     # optional
        "serviceAccounts": [{
            "name": "terraform",
            "grafanaRole": "ADMIN",
            "isDisabled": false,                      # optional
            "tokens": [{                              # optional: tokens whose keys nobody has
                "name": "old-pipeline",
                "secondsToLive": 86400,
                "ageSeconds": 172800                  # optional: made so long before
            }]
        }]
    }]}
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.grafana.sandbox.catalog import Catalog
from portal.grafana.sandbox.database import NameTakenError
from portal.grafana.sandbox.keys import digest, new_key
from portal.grafana.sandbox.tokens import Tokens
from portal.grafana.sandbox.validation import GRAFANA_VERSION_FORM, ROLES, WORKSPACE_ID

ACTIVE = "ACTIVE"
NOT_RUNNING = (
    *("CREATING", "UPDATING", "UPGRADING", "VERSION_UPDATING"),
    *("DELETING", "DELETION_FAILED", "CREATION_FAILED"),
)
"""States in which no token can be made or listed: the workspace is busy, or there is none."""
GRAFANA_VERSION = "10.4"

# In the demo the last workspace by name is another team's. It is not the last one made: AWS
# promises no order, so none of ours should look like one.
_DEMO: Mapping[str, Any] = {
    "workspaces": [
        {
            "id": "g-1a2b3c4d5e",
            "name": "observability-prod",
            "serviceAccounts": [
                {"name": "dashboards-ci", "grafanaRole": "EDITOR"},
                {"name": "terraform", "grafanaRole": "ADMIN"},
                {"name": "status-page", "grafanaRole": "VIEWER"},
                {"name": "old-importer", "grafanaRole": "EDITOR", "isDisabled": True},
            ],
        },
        {
            "id": "g-9f8e7d6c5b",
            "name": "retail-mobile",
            "serviceAccounts": [
                {"name": "app-release", "grafanaRole": "EDITOR"},
                {"name": "mobile-admin", "grafanaRole": "ADMIN"},
                {"name": "store-metrics", "grafanaRole": "VIEWER"},
                {"name": "beta-dashboards", "grafanaRole": "VIEWER", "isDisabled": True},
            ],
        },
        {
            "id": "g-2b3c4d5e6f",
            "name": "observability-staging",
            "serviceAccounts": [
                {"name": "dashboards-ci", "grafanaRole": "EDITOR"},
                {"name": "terraform", "grafanaRole": "ADMIN"},
                {"name": "load-tests", "grafanaRole": "VIEWER"},
                {"name": "spike", "grafanaRole": "VIEWER", "isDisabled": True},
            ],
        },
    ]
}


class SeedError(Exception):
    """The seed file can't be read or says something else; the message tells in one line."""


@dataclass(frozen=True, slots=True)
class Seed:
    """Workspaces to begin with, as the JSON of this module's description."""

    said: Mapping[str, Any]

    @classmethod
    def demo(cls) -> "Seed":
        return cls(_DEMO)

    @classmethod
    def from_file(cls, path: Path) -> "Seed":
        """Raises SeedError, if the file is no JSON."""
        try:
            return cls(json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            raise SeedError(f"{path}: {error}") from error

    def sow(self, catalog: Catalog, tokens: Tokens, *, now: float) -> None:
        """Fill an empty database. Raises SeedError where the seed misses a member."""
        try:
            for workspace in self.said["workspaces"]:
                _sow_workspace(catalog, tokens, workspace, now=now)
        except NameTakenError:
            raise SeedError("the seed has a name twice in one workspace") from None
        except (KeyError, TypeError, AttributeError) as error:
            raise SeedError(f"the seed is not of the documented form: {error!r}") from error


def _sow_workspace(
    catalog: Catalog, tokens: Tokens, workspace: Mapping[str, Any], *, now: float
) -> None:
    version = workspace.get("grafanaVersion", GRAFANA_VERSION)
    if not WORKSPACE_ID.fullmatch(workspace["id"]) or not GRAFANA_VERSION_FORM.fullmatch(version):
        raise SeedError(f"not a workspace's id, or not a version: {workspace['id']}, {version}")
    catalog.put_workspace(
        workspace["id"],
        name=workspace["name"],
        status=workspace.get("status", ACTIVE),
        grafana_version=version,
        now=now,
    )
    for account in workspace["serviceAccounts"]:
        _sow_account(catalog, tokens, workspace["id"], account, now=now)


def _sow_account(
    catalog: Catalog, tokens: Tokens, workspace_id: str, account: Mapping[str, Any], *, now: float
) -> None:
    if account["grafanaRole"] not in ROLES:
        raise SeedError(f"not a role: {account['grafanaRole']}")
    account_id = catalog.add_service_account(
        workspace_id,
        name=account["name"],
        role=account["grafanaRole"],
        is_disabled=account.get("isDisabled", False),
    )
    for token in account.get("tokens", ()):
        created = now - token.get("ageSeconds", 0)
        tokens.add(
            workspace_id,
            account_id,
            name=token["name"],
            key_sha256=digest(new_key()),
            created=created,
            expires=created + token["secondsToLive"],
        )
