"""What the client makes of AMG's answers: whole lists, every form of a time, nothing half read."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.grafana.client import MOST_PAGES, Client
from portal.grafana.errors import NoAnswer, OutcomeUnknown, ResourceNotFoundException
from portal.grafana.times import http_date, retry_after, timestamp
from portal.grafana.types import ServiceAccount, TokenSummary, Workspace
from tests.grafana.example import ACCOUNT, KEY, WORKSPACE
from tests.grafana.scripted_server import DATE, REQUEST_ID, ScriptedServer, answer, refusal

pytest_plugins = ("tests.grafana.client_fixtures",)

ANSWERED_AT = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
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


# -- Reading what is in order ---------------------------------------------------------------------


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


# -- What can't be understood ---------------------------------------------------------------------


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


# -- Times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        EPOCH,
        float(EPOCH),
        str(EPOCH),
        f"{EPOCH}.0",
        f"{EPOCH / 1e9!r}e9",
        f" {EPOCH} ",
        "2026-11-03T09:30:00Z",
        "2026-11-03T09:30:00.000Z",
        "2026-11-03T10:30:00+01:00",
        "2026-11-03T09:30:00",
        "20261103T093000Z",
        "Tue, 03 Nov 2026 09:30:00 GMT",
        "Tue, 03 Nov 2026 10:30:00 +0100",
        "03 Nov 2026 09:30:00 -0000",
    ],
)
def test_a_timestamp_comes_in_many_forms(value: object) -> None:
    moment = timestamp(value)
    assert moment == MOMENT
    assert moment is not None
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "value", ["2026-11-03T09:30:00", "20261103T093000", "03 Nov 2026 09:30:00 -0000"]
)
def test_a_time_without_a_zone_is_in_utc_wherever_we_are(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        assert timestamp(value) == MOMENT
    time.tzset()


@pytest.mark.parametrize("value", [EPOCH + 0.25, f"{EPOCH}.25", "2026-11-03T09:30:00.250Z"])
def test_a_timestamp_may_have_fractions(value: object) -> None:
    assert timestamp(value) == MOMENT.replace(microsecond=250_000)


@settings(deadline=None)
@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none()))
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59-14:00")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("99999999999999999999 Nov 2026 10:00:30")
@example("1e999")
def test_whatever_comes_a_timestamp_is_one_or_a_value_error(value: Any) -> None:
    try:
        moment = timestamp(value)
    except ValueError:
        return
    assert (moment is None) == (value is None)
    assert moment is None or moment.tzinfo is UTC


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("1e3", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("9" * 400, 86_400.0),
        ("Tue, 03 Nov 2026 10:00:30 GMT", 30.0),
        ("Tue, 03 Nov 2026 09:59:00 GMT", 0.0),
        ("Wed, 03 Nov 2027 10:00:00 GMT", 86_400.0),
        ("Tue, 99 Nov 2026 10:00:30 GMT", None),
    ],
)
def test_retry_after_in_all_its_shapes(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, answered_at=http_date(DATE)) == seconds


def test_without_a_date_of_the_answer_retry_after_counts_from_now() -> None:
    assert retry_after("Tue, 03 Nov 2020 10:00:30 GMT", answered_at=None) == 0.0
    assert retry_after("Sat, 03 Nov 2080 10:00:30 GMT", answered_at=None) == 86_400.0


@settings(deadline=None)
@given(st.text())
def test_whatever_comes_retry_after_is_a_number_or_none(header: str) -> None:
    seconds = retry_after(header, answered_at=None)
    assert seconds is None or 0.0 <= seconds <= 86_400.0
