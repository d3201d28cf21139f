"""What the client makes of AMG's answers when they are in order."""

from datetime import UTC, datetime

import pytest

from portal.grafana.client import Client
from portal.grafana.types import ServiceAccount, Workspace
from tests.grafana.example import ACCOUNT, KEY, WORKSPACE
from tests.grafana.scripted_server import REQUEST_ID, ScriptedServer, answer

pytest_plugins = ("tests.grafana.client_fixtures",)

ANSWERED_AT = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
MOMENT = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
EPOCH = int(MOMENT.timestamp())
TOKEN = {"id": "5", "name": "ci", "createdAt": EPOCH, "expiresAt": EPOCH + 3600, "lastUsedAt": None}


def test_a_created_token_has_its_key_and_aws_clock(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    scripted_server.script(
        answer(200, {"serviceAccountToken": {"id": "5", "name": "ci", "key": KEY}})
    )
    created = grafana.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)
    assert (created.id, created.name, created.key.reveal()) == ("5", "ci", KEY)
    assert (created.answered_at, created.request_id) == (ANSWERED_AT, REQUEST_ID)


def test_a_key_of_any_length_and_shape_is_a_key(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    key = "eyJ" + "k" * 5000
    scripted_server.script(
        answer(200, {"serviceAccountToken": {"id": 5, "name": "ci", "key": key}})
    )
    created = grafana.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)
    assert (created.id, created.key.reveal()) == ("5", key)


def test_workspaces_are_read_from_all_pages(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    def entry(number: int, **members: str) -> dict[str, str]:
        return {"id": f"g-{number:010x}", "status": "ACTIVE", "grafanaVersion": "10.4", **members}

    scripted_server.script(
        answer(200, {"workspaces": [entry(1, name="prod", endpoint="x.eu")], "nextToken": "two"}),
        answer(200, {"workspaces": [], "nextToken": "three"}),
        answer(200, {"workspaces": [entry(2)], "nextToken": None}),
    )
    assert grafana.list_workspaces() == (
        Workspace("g-0000000001", "prod", "ACTIVE", "10.4", "x.eu"),
        Workspace("g-0000000002", "", "ACTIVE", "10.4", ""),
    )
    assert [request.target for request in scripted_server.requests] == [
        "/workspaces?maxResults=100",
        "/workspaces?maxResults=100&nextToken=two",
        "/workspaces?maxResults=100&nextToken=three",
    ]


def test_a_described_workspace(grafana: Client, scripted_server: ScriptedServer) -> None:
    entry = {
        "id": WORKSPACE,
        "name": "prod",
        "status": "UPDATING",
        "grafanaVersion": "9.4",
        "endpoint": "g-1a2b3c4d5e.grafana-workspace.eu-west-1.amazonaws.com",
    }
    scripted_server.script(answer(200, {"workspace": entry}))
    assert grafana.describe_workspace(WORKSPACE) == Workspace(
        WORKSPACE, "prod", "UPDATING", "9.4", entry["endpoint"]
    )


@pytest.mark.parametrize(
    ("is_disabled", "expected"),
    [
        ("true", True),
        ("false", False),
        ("True", True),
        ("FALSE", False),
        (True, True),
        (False, False),
    ],
)
def test_is_disabled_is_a_string_or_a_boolean(
    grafana: Client, scripted_server: ScriptedServer, is_disabled: object, expected: bool
) -> None:
    entry = {"id": "17", "name": "ci", "grafanaRole": "editor", "isDisabled": is_disabled}
    scripted_server.script(answer(200, {"serviceAccounts": [entry]}))
    assert grafana.list_service_accounts(WORKSPACE) == (
        ServiceAccount("17", "ci", "EDITOR", is_disabled=expected),
    )


def test_tokens_are_listed_with_the_clock_of_the_first_page(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    second = {**TOKEN, "id": "6", "lastUsedAt": EPOCH + 60}
    late = {"Date": "Tue, 03 Nov 2026 10:00:59 GMT", "x-amzn-RequestId": "another"}
    scripted_server.script(
        answer(200, {"serviceAccountTokens": [TOKEN], "nextToken": "n"}),
        answer(200, {"serviceAccountTokens": [second]}, headers=late),
    )
    listed = grafana.list_tokens(WORKSPACE, ACCOUNT)
    assert [each.id for each in listed.tokens] == ["5", "6"]
    assert listed.tokens[0].last_used_at is None
    assert listed.tokens[1].last_used_at == datetime(2026, 11, 3, 9, 31, tzinfo=UTC)
    assert (listed.answered_at, listed.request_id) == (ANSWERED_AT, REQUEST_ID)


@pytest.mark.parametrize("headers", [{"Date": None}, {"Date": "yesterday"}, {"Date": ""}])
def test_without_a_readable_date_the_time_of_the_answer_is_not_known(
    grafana: Client, scripted_server: ScriptedServer, headers: dict[str, str | None]
) -> None:
    headers = {**headers, "x-amzn-RequestId": None}
    scripted_server.script(answer(200, {"serviceAccountTokens": []}, headers=headers))
    listed = grafana.list_tokens(WORKSPACE, ACCOUNT)
    assert (listed.answered_at, listed.request_id) == (None, "")


@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize("body", [b"", {"tokenId": "5", "serviceAccountId": "17"}])
def test_a_deletion_answers_with_the_ids_or_nothing(
    grafana: Client, scripted_server: ScriptedServer, status: int, body: object
) -> None:
    if status == 204:
        body = b""
    scripted_server.script(answer(status, body))
    assert grafana.delete_token(WORKSPACE, ACCOUNT, "5") == REQUEST_ID
