"""Answers that can't be understood: never half read, never taken for a short list."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from portal.grafana.client import MOST_PAGES, Client
from portal.grafana.errors import NoAnswer, OutcomeUnknown, ResourceNotFoundException
from portal.grafana.types import TokenSummary
from tests.grafana.example import ACCOUNT, KEY, WORKSPACE
from tests.grafana.scripted_server import REQUEST_ID, ScriptedServer, answer, refusal

pytest_plugins = ("tests.grafana.client_fixtures",)

MOMENT = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
EPOCH = int(MOMENT.timestamp())
TOKEN = {"id": "5", "name": "ci", "createdAt": EPOCH, "expiresAt": EPOCH + 3600, "lastUsedAt": None}
BROKEN_BODIES = [
    pytest.param(b"", id="empty"),
    pytest.param(b"<html>Welcome to the hotel's WiFi</html>", id="HTML"),
    pytest.param(b"null", id="null"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'"text"', id="a string"),
    pytest.param(b'{"workspaces": [', id="cut off"),
    pytest.param(b"\xff\xfe\x00", id="not UTF-8"),
    pytest.param(b"[" * 100_000, id="too deep"),
    pytest.param(b"{}", id="an empty object"),
]


@pytest.mark.parametrize("body", BROKEN_BODIES)
def test_a_create_without_a_key_has_an_unknown_outcome(
    grafana: Client, scripted_server: ScriptedServer, body: bytes
) -> None:
    scripted_server.script(answer(200, body))
    with pytest.raises(OutcomeUnknown) as caught:
        grafana.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)
    assert caught.value.outcome_unknown
    assert not caught.value.retryable
    assert (caught.value.status, caught.value.request_id) == (200, REQUEST_ID)


@pytest.mark.parametrize(
    "token",
    [
        None,
        [],
        {"id": "5", "name": "ci"},
        {"id": "5", "name": "ci", "key": ""},
        {"id": "5", "name": "ci", "key": None},
        {"id": "5", "name": "ci", "key": 7},
        {"id": "5", "name": "ci", "key": {"value": KEY}},
        {"name": "ci", "key": KEY},
        {"id": "", "name": "ci", "key": KEY},
        {"id": "../5", "name": "ci", "key": KEY},
        {"id": True, "name": "ci", "key": KEY},
    ],
)
def test_a_create_whose_token_lacks_a_part_has_an_unknown_outcome(
    grafana: Client, scripted_server: ScriptedServer, token: object
) -> None:
    scripted_server.script(answer(200, {"serviceAccountToken": token}))
    with pytest.raises(OutcomeUnknown):
        grafana.create_token(WORKSPACE, ACCOUNT, name="ci", seconds_to_live=60)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.list_workspaces(),
        lambda client: client.describe_workspace(WORKSPACE),
        lambda client: client.list_service_accounts(WORKSPACE),
        lambda client: client.list_tokens(WORKSPACE, ACCOUNT),
    ],
    ids=["list_workspaces", "describe_workspace", "list_service_accounts", "list_tokens"],
)
@pytest.mark.parametrize("body", BROKEN_BODIES)
def test_a_read_that_is_not_understood_may_be_repeated(
    grafana: Client,
    scripted_server: ScriptedServer,
    call: Callable[[Client], object],
    body: bytes,
) -> None:
    scripted_server.script(answer(200, body))
    with pytest.raises(NoAnswer) as caught:
        call(grafana)
    assert caught.value.retryable
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("body", [b"<html>Please log in</html>", b"deleted", b"[]"])
def test_a_deletion_answered_by_somebody_else_is_none(
    grafana: Client, scripted_server: ScriptedServer, body: bytes
) -> None:
    scripted_server.script(answer(200, body))
    with pytest.raises(NoAnswer) as caught:
        grafana.delete_token(WORKSPACE, ACCOUNT, "5")
    assert caught.value.retryable


@pytest.mark.parametrize(
    "tokens",
    [
        None,
        {},
        "",
        0,
        [None],
        ["5"],
        [[]],
        [{}],
        [{**TOKEN, "id": None}],
        [{**TOKEN, "id": "five"}],
        [{**TOKEN, "id": 5.0}],
        [{**TOKEN, "name": None}],
        [{**TOKEN, "name": 5}],
        [{**TOKEN, "name": "\ud800"}],
        [{**TOKEN, "createdAt": "soon"}],
        [{**TOKEN, "createdAt": True}],
        [{**TOKEN, "createdAt": 1e300}],
        [{**TOKEN, "createdAt": float("nan")}],
        [{**TOKEN, "expiresAt": []}],
        [{**TOKEN, "expiresAt": ""}],
        [TOKEN, {**TOKEN, "id": None}],
    ],
)
def test_a_malformed_token_list_never_looks_shorter_than_it_is(
    grafana: Client, scripted_server: ScriptedServer, tokens: object
) -> None:
    scripted_server.script(answer(200, {"serviceAccountTokens": tokens}))
    with pytest.raises(NoAnswer):
        grafana.list_tokens(WORKSPACE, ACCOUNT)


@pytest.mark.parametrize("next_token", [5, True, {}, ["n"], "\udfff"])
def test_a_list_whose_next_page_cannot_be_asked_for_is_not_whole(
    grafana: Client, scripted_server: ScriptedServer, next_token: object
) -> None:
    page = {"serviceAccountTokens": [TOKEN], "nextToken": next_token}
    scripted_server.script(answer(200, page))
    with pytest.raises(NoAnswer):
        grafana.list_tokens(WORKSPACE, ACCOUNT)


def test_a_list_is_not_whole_when_a_later_page_fails(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    scripted_server.script(
        answer(200, {"serviceAccountTokens": [TOKEN], "nextToken": "n"}),
        refusal(404, "ResourceNotFoundException", "gone meanwhile"),
    )
    with pytest.raises(ResourceNotFoundException):
        grafana.list_tokens(WORKSPACE, ACCOUNT)


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]])
def test_a_list_that_goes_in_circles_is_given_up(
    grafana: Client, scripted_server: ScriptedServer, tokens: list[str]
) -> None:
    scripted_server.script(
        *(answer(200, {"serviceAccountTokens": [], "nextToken": each}) for each in tokens)
    )
    with pytest.raises(NoAnswer, match="does not end"):
        grafana.list_tokens(WORKSPACE, ACCOUNT)
    assert len(scripted_server.requests) == len(tokens)


def test_a_list_without_an_end_is_given_up(
    grafana: Client, scripted_server: ScriptedServer
) -> None:
    scripted_server.script(
        *(answer(200, {"workspaces": [], "nextToken": str(each)}) for each in range(1000))
    )
    with pytest.raises(NoAnswer, match="does not end"):
        grafana.list_workspaces()
    assert len(scripted_server.requests) == MOST_PAGES + 1


@pytest.mark.parametrize("is_disabled", [None, "", "yes", 0, 1, []])
def test_an_account_that_may_or_may_not_be_disabled_is_not_guessed(
    grafana: Client, scripted_server: ScriptedServer, is_disabled: object
) -> None:
    entry = {"id": "17", "name": "ci", "grafanaRole": "EDITOR", "isDisabled": is_disabled}
    scripted_server.script(answer(200, {"serviceAccounts": [entry]}))
    with pytest.raises(NoAnswer, match="isDisabled"):
        grafana.list_service_accounts(WORKSPACE)


@pytest.mark.parametrize("last_used_at", ["never", "", [], True])
def test_a_strange_time_of_last_use_is_none(
    grafana: Client, scripted_server: ScriptedServer, last_used_at: object
) -> None:
    scripted_server.script(
        answer(200, {"serviceAccountTokens": [{**TOKEN, "lastUsedAt": last_used_at}]})
    )
    assert grafana.list_tokens(WORKSPACE, ACCOUNT).tokens == (
        TokenSummary("5", "ci", MOMENT, datetime(2026, 11, 3, 10, 30, tzinfo=UTC), None),
    )
