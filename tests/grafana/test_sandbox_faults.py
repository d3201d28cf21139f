"""Faults do what they say: to the client, and to AWS's side of the story."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import PROD, SandboxProcess
from tests.grafana.signed import send_signed
from tests.product import within

CREATE = "CreateWorkspaceServiceAccountToken"
TOKENS = f"/workspaces/{PROD}/serviceaccounts/2/tokens"
BODY = b'{"name": "ci", "secondsToLive": 60}'
IDS = {"workspaceId": PROD, "serviceAccountId": "2"}


def create(client: Any, name: str = "ci") -> Any:
    return client.create_workspace_service_account_token(**IDS, name=name, secondsToLive=60)


@pytest.mark.parametrize(("when", "live"), [("before", 0), ("after", 1)])
def test_an_error_comes_before_or_after_the_effect(
    amg: Any, sandbox: SandboxProcess, when: str, live: int
) -> None:
    sandbox.fault("error", when, operation=CREATE)
    with pytest.raises(amg.exceptions.InternalServerException):
        create(amg)
    assert len(sandbox.live_tokens()) == live
    [call] = sandbox.calls(CREATE)
    assert (call["fault"], call["status"]) == (f"error {when}", 500)
    assert call["effect"] == (200 if live else None)


@pytest.mark.parametrize(("when", "live"), [("before", 0), ("after", 1)])
def test_a_connection_is_dropped_before_or_after_the_effect(
    amg: Any, sandbox: SandboxProcess, when: str, live: int
) -> None:
    sandbox.fault("drop", when, operation=CREATE)
    with pytest.raises(ConnectionClosedError):
        create(amg)
    assert len(sandbox.live_tokens()) == live
    assert sandbox.calls(CREATE)[0]["status"] is None
    assert sandbox.steer("GET", "")["calls"] == {CREATE: {"dropped": 1}}


def wait_for(sandbox: SandboxProcess, live: int) -> None:
    assert within(5, lambda: len(sandbox.live_tokens()) == live)


@pytest.mark.parametrize(
    ("when", "at_once", "in_the_end"), [("before", 0, 0), ("after", 1, 1), ("late", 0, 1)]
)
def test_a_client_that_gives_up_on_a_hanging_call_may_still_have_had_its_effect(
    sandbox: SandboxProcess, when: str, at_once: int, in_the_end: int
) -> None:
    sandbox.fault("hang", when, operation=CREATE, seconds=1.5)
    with boto3_client(sandbox, read_timeout=0.2) as client, pytest.raises(ReadTimeoutError):
        create(client)
    assert len(sandbox.live_tokens()) == at_once
    time.sleep(1.5)
    wait_for(sandbox, in_the_end)


@pytest.mark.parametrize("when", ["before", "after", "late"])
def test_a_client_that_waits_for_a_hanging_call_gets_its_answer(
    amg: Any, sandbox: SandboxProcess, when: str
) -> None:
    sandbox.fault("hang", when, seconds=0.2)
    began = time.monotonic()
    assert create(amg)["serviceAccountToken"]["key"]
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("kind", ["drop", "error"])
def test_an_effect_can_come_after_the_client_was_told_that_it_failed(
    amg: Any, sandbox: SandboxProcess, kind: str
) -> None:
    sandbox.fault(kind, "late", operation=CREATE, seconds=0.3)
    with pytest.raises((ClientError, ConnectionClosedError)):
        create(amg)
    assert sandbox.live_tokens() == []
    assert sandbox.calls(CREATE)[0]["effect"] is None
    wait_for(sandbox, 1)
    assert sandbox.calls(CREATE)[0]["effect"] == 200


def test_a_reset_calls_off_effects_that_are_still_to_come(
    amg: Any, sandbox: SandboxProcess
) -> None:
    sandbox.fault("drop", "late", operation=CREATE, seconds=0.2)
    with pytest.raises(ConnectionClosedError):
        create(amg)
    sandbox.reset()
    time.sleep(0.4)
    assert sandbox.live_tokens() == []


def test_a_page_in_place_of_json_is_a_success_to_boto3_and_has_no_key(
    amg: Any, sandbox: SandboxProcess
) -> None:
    sandbox.fault("html", operation=CREATE)
    answer = create(amg)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "text/html"
    assert "serviceAccountToken" not in answer
    assert len(sandbox.live_tokens()) == 1


def test_a_gateways_own_error_has_no_aws_shape(sandbox: SandboxProcess) -> None:
    sandbox.fault("html", "before", status=502, headers={"Retry-After": "3"})
    answer = send_signed(sandbox, "POST", TOKENS, BODY)
    assert (answer.status, answer.error, answer.headers["Retry-After"]) == (502, None, "3")
    assert answer.body.startswith(b"<!DOCTYPE html>")
    assert sandbox.live_tokens() == []


def test_an_empty_answer_is_a_success_without_a_key(amg: Any, sandbox: SandboxProcess) -> None:
    sandbox.fault("empty", operation=CREATE)
    assert set(create(amg)) == {"ResponseMetadata"}
    assert len(sandbox.live_tokens()) == 1


def test_an_answer_can_lack_the_key_alone(amg: Any, sandbox: SandboxProcess) -> None:
    sandbox.fault("no_key", operation=CREATE)
    answer = create(amg)
    assert set(answer["serviceAccountToken"]) == {"id", "name"}
    assert len(sandbox.live_tokens()) == 1


def test_an_answer_can_break_off_in_its_middle(sandbox: SandboxProcess) -> None:
    sandbox.fault("truncated", operation=CREATE)
    with pytest.raises(IncompleteRead):
        send_signed(sandbox, "POST", TOKENS, BODY)
    assert len(sandbox.live_tokens()) == 1


def test_an_answer_that_breaks_off_is_a_success_to_boto3_and_has_no_key(
    amg: Any, sandbox: SandboxProcess
) -> None:
    """botocore does not hold what it read against the Content-Length."""
    sandbox.fault("truncated", operation=CREATE)
    assert set(create(amg)) == {"ResponseMetadata"}
    assert len(sandbox.live_tokens()) == 1


def test_a_fault_meets_its_operation_as_often_as_it_says(amg: Any, sandbox: SandboxProcess) -> None:
    sandbox.fault("error", operation="ListWorkspaces", times=2)
    create(amg)
    for _ in range(2):
        with pytest.raises(amg.exceptions.InternalServerException):
            amg.list_workspaces()
    assert sandbox.pending_faults() == []
    amg.list_workspaces()


def test_a_fault_can_let_calls_pass_first(amg: Any, sandbox: SandboxProcess) -> None:
    sandbox.fault("error", operation="ListWorkspaces", skip=1)
    pages = amg.get_paginator("list_workspaces").paginate(PaginationConfig={"PageSize": 2})
    with pytest.raises(amg.exceptions.InternalServerException):
        list(pages)
    assert [call["status"] for call in sandbox.calls()] == [200, 500]


def test_a_fault_can_be_for_one_name_alone(amg: Any, sandbox: SandboxProcess) -> None:
    sandbox.fault("error", name="unlucky")
    create(amg, "lucky")
    with pytest.raises(amg.exceptions.InternalServerException):
        create(amg, "unlucky")


def test_faults_strike_in_the_order_they_were_given(amg: Any, sandbox: SandboxProcess) -> None:
    sandbox.faults(
        {"kind": "error", "type": "AccessDeniedException"},
        {"kind": "error", "type": "ConflictException"},
    )
    with pytest.raises(amg.exceptions.AccessDeniedException):
        amg.list_workspaces()
    with pytest.raises(amg.exceptions.ConflictException):
        amg.list_workspaces()


def test_a_probability_strikes_some_calls_and_goes_on(amg: Any, sandbox: SandboxProcess) -> None:
    sandbox.fault("error", probability=0.5)
    statuses = set()
    for _ in range(60):  # 2 in 10^18 that they are all alike
        try:
            statuses.add(amg.list_workspaces()["ResponseMetadata"]["HTTPStatusCode"])
        except amg.exceptions.InternalServerException:
            statuses.add(500)
    assert statuses == {200, 500}
    assert len(sandbox.pending_faults()) == 1
    sandbox.clear_faults()
    assert sandbox.pending_faults() == []


def test_latency_is_kept_for_many_calls_at_once(amg: Any, sandbox: SandboxProcess) -> None:
    sandbox.settings(latency_ms={"*": 1000, "ListWorkspaces": 0})
    began = time.monotonic()
    with boto3_client(sandbox, max_pool_connections=20) as client, ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: create(client, f"t{number}"), range(20)))
    assert 1 <= time.monotonic() - began < 10  # in turn it would be 20 seconds
    assert all(call["ms"] >= 1000 for call in sandbox.calls(CREATE))
    amg.list_workspaces()
    assert sandbox.calls("ListWorkspaces")[0]["ms"] < 1000


def test_a_held_call_waits_without_effect_until_it_is_let_go(
    amg: Any, sandbox: SandboxProcess
) -> None:
    sandbox.settings(held=[CREATE])
    with ThreadPoolExecutor(1) as pool:
        created = pool.submit(create, amg, "ci")
        assert within(30, lambda: len(sandbox.calls(CREATE)) == 1)
        assert amg.list_workspaces()["workspaces"]
        assert sandbox.calls(CREATE)[0]["effect"] is None
        assert sandbox.live_tokens() == []
        assert not created.done()
        sandbox.settings(held=[])
        assert created.result(30)["serviceAccountToken"]["name"] == "ci"
    assert sandbox.calls(CREATE)[0]["effect"] == 200


@pytest.mark.parametrize("retry_after", ["int", "date", "missing"])
def test_calls_above_the_rate_are_throttled_with_a_retry_after_of_each_shape(
    sandbox: SandboxProcess, retry_after: str
) -> None:
    limit = {"per_second": 0.5, "retry_after": retry_after}
    sandbox.settings(rate_limits={CREATE: limit})
    answers = [
        send_signed(sandbox, "POST", TOKENS, BODY.replace(b"ci", b"ci%d" % number))
        for number in range(2)
    ]
    assert [answer.status for answer in answers] == [200, 429]
    assert answers[1].error == "ThrottlingException"
    header = answers[1].headers.get("Retry-After")
    match retry_after:
        case "int":
            assert header == "2"
        case "date":
            assert header
            assert -2 < (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds() < 3
        case _:
            assert header is None
    assert send_signed(sandbox, "GET", "/workspaces").status == 200
    assert len(sandbox.live_tokens()) == 1


def test_a_rate_recovers_as_time_passes(amg: Any, sandbox: SandboxProcess) -> None:
    sandbox.settings(rate_limits={"*": {"per_second": 5}})
    for _ in range(5):
        amg.list_workspaces()
    with pytest.raises(amg.exceptions.ThrottlingException) as caught:
        amg.list_workspaces()
    assert caught.value.response["retryAfterSeconds"] == 1
    time.sleep(0.25)
    amg.list_workspaces()


@pytest.mark.parametrize(
    ("path", "said", "objection"),
    [
        ("faults", {}, "needs a kind"),
        ("faults", {"kind": "explode"}, "kind must be one of"),
        ("faults", {"kind": "drop", "operation": "CreateToken"}, "operation must be one of"),
        ("faults", {"kind": "no_key", "when": "before"}, "needs an answer"),
        ("faults", {"kind": "drop", "times": 0}, "at least 1"),
        ("faults", {"kind": "drop", "seconds": True}, "must be a number"),
        ("faults", {"kind": "error", "headers": {"X": "a\r\nb"}}, "on one line"),
        ("faults", [{"kind": "drop"}, {"kind": "drop", "time": 1}], "no such member: time"),
        ("settings", {"latency": 3}, "no such member: latency"),
        ("settings", {"latency_ms": {"CreateToken": 3}}, "latency_ms must be one of"),
        ("settings", {"latency_ms": 3}, "must be an object"),
        ("settings", {"held": "*"}, "must be an array"),
        ("settings", {"held": ["CreateToken"]}, "held must be one of"),
        ("settings", {"rate_limits": {"*": {}}}, "needs per_second"),
        ("settings", {"token_quota": 1.5}, "whole number"),
        ("settings", {"duplicate_status": 500}, "409, 400"),
        ("clock", {"advance_seconds": -1}, "at least 0"),
        ("workspaces", {"id": "prod"}, "id must match"),
        ("workspaces", {"id": PROD, "grafana_version": "new"}, "must be like 10.4"),
        ("service-accounts", {"workspace_id": PROD, "id": "99"}, "no such service account"),
        (
            "service-accounts",
            {"workspace_id": PROD, "id": "2", "name": "terraform"},
            "has a service account of that name",
        ),
        ("reset", {"data": "yes"}, "true or false"),
        ("reset", [], "JSON object"),
    ],
)
def test_a_mistake_in_steering_is_told_and_changes_nothing(
    sandbox: SandboxProcess, path: str, said: object, objection: str
) -> None:
    def state() -> dict[str, Any]:
        overview = sandbox.steer("GET", "")
        return {name: overview[name] for name in ("settings", "faults", "advanced_seconds")}

    before = state()
    with pytest.raises(ValueError, match=objection):
        sandbox.steer("POST", path, said)
    assert state() == before
