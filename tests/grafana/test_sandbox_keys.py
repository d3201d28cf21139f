"""Keys work in Grafana while their token lives, and are kept nowhere."""

from pathlib import Path
from typing import Any

import pytest

from tests.grafana.sandbox_process import MOBILE, PROD, SandboxProcess
from tests.grafana.signed import Answer, send

ORG = f"/grafana/{PROD}/api/org"
IDS = {"workspaceId": PROD, "serviceAccountId": "2"}


@pytest.fixture
def token(amg: Any) -> dict[str, str]:
    """A live token of PROD: its id, name and key."""
    made = amg.create_workspace_service_account_token(**IDS, name="ci", secondsToLive=60)
    token: dict[str, str] = made["serviceAccountToken"]
    return token


def ask(sandbox: SandboxProcess, key: str, path: str = ORG) -> Answer:
    return send(sandbox, "GET", path, headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize("path", [ORG, "/api/org"])
def test_a_live_key_works(sandbox: SandboxProcess, token: dict[str, str], path: str) -> None:
    answer = ask(sandbox, token["key"], path)
    assert (answer.status, answer.json) == (200, {"id": 1, "name": "Main Org."})


def test_it_works_at_the_endpoint_that_describe_workspace_names(
    amg: Any, sandbox: SandboxProcess, token: dict[str, str]
) -> None:
    endpoint = amg.describe_workspace(workspaceId=PROD)["workspace"]["endpoint"]
    path = endpoint.removeprefix(sandbox.url) + "/api/org"
    assert ask(sandbox, token["key"], path).status == 200


def test_its_use_shows_in_last_used_at(
    amg: Any, sandbox: SandboxProcess, token: dict[str, str]
) -> None:
    ask(sandbox, token["key"])
    [listed] = amg.list_workspace_service_account_tokens(**IDS)["serviceAccountTokens"]
    assert listed["createdAt"] <= listed["lastUsedAt"] < listed["expiresAt"]


def test_a_key_of_another_workspace_is_invalid(
    sandbox: SandboxProcess, token: dict[str, str]
) -> None:
    answer = ask(sandbox, token["key"], f"/grafana/{MOBILE}/api/org")
    assert (answer.status, answer.json) == (401, {"message": "Invalid API key"})


def test_an_expired_key_is_refused(sandbox: SandboxProcess, token: dict[str, str]) -> None:
    sandbox.advance(61)
    assert ask(sandbox, token["key"]).status == 401


def test_a_deleted_key_is_refused(amg: Any, sandbox: SandboxProcess, token: dict[str, str]) -> None:
    amg.delete_workspace_service_account_token(**IDS, tokenId=token["id"])
    assert ask(sandbox, token["key"]).status == 401


def test_a_key_of_a_disabled_account_is_refused_until_it_is_enabled(
    sandbox: SandboxProcess, token: dict[str, str]
) -> None:
    sandbox.change_service_account(PROD, "2", is_disabled=True)
    assert ask(sandbox, token["key"]).status == 401
    sandbox.change_service_account(PROD, "2", is_disabled=False)
    assert ask(sandbox, token["key"]).status == 200


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer glsa_x", "Basic eDp5"])
def test_no_key_is_refused(sandbox: SandboxProcess, authorization: str) -> None:
    answer = send(sandbox, "GET", ORG, headers={"Authorization": authorization})
    assert answer.status == 401


@pytest.mark.parametrize("path", ["/api/dashboards", "/grafana/x/api/org", f"/grafana/{PROD}/"])
def test_there_is_nothing_else_of_grafana(sandbox: SandboxProcess, path: str) -> None:
    assert send(sandbox, "GET", path).status == 404


def test_uses_stand_in_the_log_of_calls(sandbox: SandboxProcess, token: dict[str, str]) -> None:
    ask(sandbox, token["key"])
    ask(sandbox, "unknown")
    used, refused = sandbox.calls("GET /api/org")
    assert (used["status"], used["name"], used["token_id"]) == (200, "ci", token["id"])
    assert (refused["status"], refused["token_id"]) == (401, None)


def test_the_key_is_in_no_file_and_in_nothing_the_sandbox_tells(
    sandbox: SandboxProcess, token: dict[str, str]
) -> None:
    ask(sandbox, token["key"])
    secret = token["key"].split("_")[1]
    files = [Path(f"{sandbox.data}{suffix}") for suffix in ("", "-wal")]
    assert b"ci" in b"".join(path.read_bytes() for path in files)
    for path in [*files, sandbox.log]:
        assert secret.encode() not in path.read_bytes()
    for told in ("", "calls", "tokens", "tokens?expired=1"):
        assert secret not in str(sandbox.steer("GET", told))
