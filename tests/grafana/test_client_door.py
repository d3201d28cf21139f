"""What AWS sends is checked and bounded at the door; a row that can't be used is left out by name.

The limits are those of AWS's service model and of our columns.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from portal.grafana.client import Client
from portal.grafana.errors import NoAnswer
from portal.grafana.types import LeftOut
from portal.grafana.urls import is_web_url
from portal.models import AuditEvent, ListedToken, ServiceAccount, Token, Workspace
from tests.grafana.example import ACCOUNT, KEY, WORKSPACE
from tests.grafana.scripted_server import REQUEST_ID, ScriptedServer, answer

pytest_plugins = ("tests.grafana.client_fixtures",)

OTHER = "g-2b3c4d5e6f"
NAMES = ["observ\0ability", "obs\r\nBcc: x", "\x1b[31mred", "a\u2028b", "\x85", "\x7f"]
SUMMARY: Mapping[str, Any] = {
    "id": WORKSPACE,
    "name": "prod",
    "status": "ACTIVE",
    "grafanaVersion": "10.4",
    "endpoint": "g-1a2b3c4d5e.grafana-workspace.eu-west-1.amazonaws.com",
}
ENTRY: Mapping[str, Any] = {
    "id": ACCOUNT,
    "name": "ci",
    "grafanaRole": "EDITOR",
    "isDisabled": "false",
}
TOKEN: Mapping[str, Any] = {"id": "5", "name": "ci", "createdAt": 1, "expiresAt": 3601}


@pytest.mark.parametrize("name", NAMES)
def test_control_characters_are_lost_at_the_door(
    grafana: Client, scripted_server: ScriptedServer, name: str
) -> None:
    scripted_server.script(
        answer(200, {"workspaces": [{**SUMMARY, "name": name}]}),
        answer(200, {"serviceAccounts": [{**ENTRY, "name": name}]}),
        answer(200, {"serviceAccountTokens": [{**TOKEN, "name": name}]}),
        answer(200, {"serviceAccountToken": {"id": "5", "name": name, "key": KEY}}),
    )
    seen = [
        grafana.list_workspaces()[0].name,
        grafana.list_service_accounts(WORKSPACE)[0].name,
        grafana.list_tokens(WORKSPACE, ACCOUNT).tokens[0].name,
        grafana.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60).name,
    ]
    assert len(set(seen)) == 1
    assert seen[0].isprintable()
    assert "\ufffd" in seen[0], "and the name is not another one without them"


def test_a_key_is_taken_as_it_came(grafana: Client, scripted_server: ScriptedServer) -> None:
    key = "glsa_with\u2028what nobody expects"
    scripted_server.script(answer(200, {"serviceAccountToken": {"id": "5", "key": key}}))
    created = grafana.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)
    assert created.key.reveal() == key


@pytest.mark.parametrize("name", [None, 7, "", "n" * 300, "\ud800"])
def test_no_name_in_the_answer_costs_a_created_key(
    grafana: Client, scripted_server: ScriptedServer, name: object
) -> None:
    token = {"id": "5", "name": name, "key": KEY}
    scripted_server.script(answer(200, {"serviceAccountToken": token}))
    created = grafana.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)
    assert created.key.reveal() == KEY


@pytest.mark.parametrize(
    "endpoint",
    [
        "g-1a2b3c4d5e.grafana-workspace.eu-west-1.amazonaws.com",
        "https://g-1a2b3c4d5e.grafana-workspace.eu-west-1.amazonaws.com/",
        "https://grafana.example.com:8443/grafana",
        "https://[2001:db8::7]:8443",
        "http://127.0.0.1:9100/grafana/g-1a2b3c4d5e",
        "http://localhost:9100",
        "http://[::1]:9100",
        "x." * 1000 + "example.com",
    ],
)
def test_an_https_address_is_one_and_http_on_this_machine(endpoint: str) -> None:
    assert is_web_url(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "javascript://example.com/%0aalert(1)",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://grafana.example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1/",
        "ftp://example.com",
        "//example.com",
        "https://",
        "https:///path",
        "https://admin@example.com",
        "https://example.com:0",
        "https://example.com:99999",
        "https://example.com:port",
        "https://[::1",
        "https://exam ple.com",
        'https://example.com/"onclick="x',
        "https://example.com/?next=x",
        "https://example.com/#x",
        "https://пример.example",
        "g-1\0.example.com",
        "g-1\r\n.example.com",
        "HTTPS://example.com",
    ],
)
def test_anything_else_is_no_link(
    grafana: Client, scripted_server: ScriptedServer, endpoint: str
) -> None:
    scripted_server.script(answer(200, {"workspaces": [{**SUMMARY, "endpoint": endpoint}]}))
    [workspace] = grafana.list_workspaces()
    assert (workspace.id, workspace.endpoint) == (WORKSPACE, "")


BAD_WORKSPACES: list[Any] = [
    None,
    "a text",
    [],
    {},
    {**SUMMARY, "id": "g-1"},
    {**SUMMARY, "id": "../.."},
    {**SUMMARY, "id": OTHER, "name": 7},
    {**SUMMARY, "id": OTHER, "name": "n" * 256},
    {**SUMMARY, "id": OTHER, "name": "\ud800"},
    {**SUMMARY, "id": OTHER, "status": None},
    {**SUMMARY, "id": OTHER, "status": "S" * 41},
    {**SUMMARY, "id": OTHER, "grafanaVersion": 10.4},
    {**SUMMARY, "id": OTHER, "grafanaVersion": "9" * 256},
    {**SUMMARY, "id": OTHER, "endpoint": ["x"]},
    {**SUMMARY, "id": OTHER, "endpoint": "x" * 2049},
]


@pytest.mark.parametrize("bad", BAD_WORKSPACES, ids=lambda bad: str(bad)[:60])
def test_a_workspace_that_can_t_be_used_is_left_out_and_named(
    grafana: Client, scripted_server: ScriptedServer, bad: Any
) -> None:
    page = answer(200, {"workspaces": [bad, SUMMARY]})
    scripted_server.script(page, page)
    left_out: list[LeftOut] = []
    assert [one.id for one in grafana.list_workspaces(left_out=left_out)] == [WORKSPACE]
    [one] = left_out
    assert one.id == (OTHER if isinstance(bad, dict) and bad.get("id") == OTHER else "")
    assert one.request_id == REQUEST_ID
    assert one.why.startswith("number 1 of a page: ")
    with pytest.raises(NoAnswer):
        grafana.list_workspaces()


BAD_ACCOUNTS = [
    {},
    {**ENTRY, "id": "seven"},
    {**ENTRY, "id": "1" * 21},
    {**ENTRY, "id": 10**30},
    {**ENTRY, "name": {}},
    {**ENTRY, "name": "n" * 256},
    {**ENTRY, "grafanaRole": None},
    {**ENTRY, "grafanaRole": "R" * 21},
    {**ENTRY, "grafanaRole": "ß" * 20},
    {**ENTRY, "isDisabled": "perhaps"},
]


@pytest.mark.parametrize("bad", BAD_ACCOUNTS, ids=lambda bad: str(bad)[:60])
def test_an_account_that_can_t_be_used_is_left_out_and_named(
    grafana: Client, scripted_server: ScriptedServer, bad: dict[str, Any]
) -> None:
    scripted_server.script(answer(200, {"serviceAccounts": [{**ENTRY, "id": "8"}, bad]}))
    left_out: list[LeftOut] = []
    found = grafana.list_service_accounts(WORKSPACE, left_out=left_out)
    assert [one.id for one in found] == ["8"]
    assert [one.why.startswith("number 2 of a page: ") for one in left_out] == [True]


@pytest.mark.parametrize("name", ["", "n" * 1000])
def test_a_foreign_token_of_any_name_spoils_no_list(
    grafana: Client, scripted_server: ScriptedServer, name: str
) -> None:
    scripted_server.script(answer(200, {"serviceAccountTokens": [{**TOKEN, "name": name}]}))
    [token] = grafana.list_tokens(WORKSPACE, ACCOUNT).tokens
    assert token.name == name[:255]


def test_what_stands_on_two_pages_is_there_once(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    """A list that changes while it is read moves its entries from page to page."""
    scripted_server.script(
        answer(200, {"serviceAccounts": [ENTRY], "nextToken": "n"}),
        answer(200, {"serviceAccounts": [{**ENTRY, "name": "renamed"}]}),
        answer(200, {"workspaces": [SUMMARY], "nextToken": "n"}),
        answer(200, {"workspaces": [SUMMARY]}),
        answer(200, {"serviceAccountTokens": [TOKEN], "nextToken": "n"}),
        answer(200, {"serviceAccountTokens": [TOKEN]}),
    )
    assert [one.name for one in grafana.list_service_accounts(WORKSPACE)] == ["renamed"]
    assert len(grafana.list_workspaces()) == 1
    assert len(grafana.list_tokens(WORKSPACE, ACCOUNT).tokens) == 1


def test_our_columns_hold_what_the_door_lets_in() -> None:
    def longest(model: Any, field: str) -> int:
        return int(model._meta.get_field(field).max_length)

    assert longest(Workspace, "endpoint") >= 2048
    assert longest(Workspace, "grafana_version") >= 255
    assert longest(Workspace, "status") >= 40
    assert longest(ServiceAccount, "aws_id") >= 20
    assert longest(ServiceAccount, "grafana_role") >= 20
    assert longest(Token, "aws_token_id") >= 40
    assert longest(ListedToken, "aws_id") >= 40
    for model, field in (
        (Workspace, "name"),
        (ServiceAccount, "name"),
        (ListedToken, "name"),
        (AuditEvent, "workspace_name"),
        (AuditEvent, "service_account_name"),
    ):
        assert longest(model, field) >= 255
