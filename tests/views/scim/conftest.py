"""The endpoint, as a provider uses it."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

TOKEN = "scim-token-of-the-provider-0123456789"
USERS, GROUPS = "/scim/v2/Users", "/scim/v2/Groups"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass
class Provider:
    """Sends requests with the token, and reads the answers."""

    client: Client
    token: str = TOKEN

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """``body`` is sent as JSON, bytes as they are."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        answer = self.client.generic(
            method,
            path,
            data,
            content_type="application/scim+json",
            headers={"Authorization": f"Bearer {self.token}", **headers},
        )
        is_json = answer.headers.get("Content-Type") == "application/scim+json"
        return answer.status_code, json.loads(answer.content) if is_json else None

    def get(self, path: str) -> Any:
        status, body = self.send("GET", path)
        assert status == 200, body
        return body

    def found(self, text: str, path: str = USERS) -> list[Any]:
        """What a filter finds."""
        answer = self.client.get(
            path, {"filter": text}, headers={"Authorization": f"Bearer {self.token}"}
        )
        assert answer.status_code == 200, answer.content
        resources: list[Any] = answer.json().get("Resources", [])
        return resources

    def create(self, path: str, **said: Any) -> str:
        """Returns its id."""
        status, body = self.send("POST", path, said)
        assert status == 201, body
        key: str = body["id"]
        return key

    def patch(self, path: str, *operations: Any) -> None:
        body = {"schemas": [PATCH], "Operations": list(operations)}
        status, answer = self.send("PATCH", path, body)
        assert status in (200, 204), answer


@pytest.fixture
def provider(settings: Settings, enqueued: list[tuple[str, str]]) -> Provider:
    settings.SCIM_TOKEN = TOKEN
    return Provider(Client(raise_request_exception=True))
