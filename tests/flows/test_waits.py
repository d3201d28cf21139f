"""A workspace that is being changed is waited for, and so are credentials that AWS refuses."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone

from portal import gateway
from portal.audit import SYSTEM
from portal.flows.issue import issue
from portal.flows.sync_catalog import sync_catalog
from portal.grafana.clients import forget_clients
from portal.models import Connection, Heartbeat, State, Token, User, Workspace
from portal.views import health
from portal.views.tokens import explain
from tests.conftest import Catalog, asked_for
from tests.grafana.sandbox_process import SandboxProcess

CREATE = "CreateWorkspaceServiceAccountToken"
DESCRIBE = "DescribeWorkspace"
LIST = "ListWorkspaceServiceAccountTokens"
REFUSALS = [
    (403, "ExpiredTokenException"),
    (403, "UnrecognizedClientException"),
    (403, "InvalidSignatureException"),
    (400, "RequestExpired"),
]
CHANGING = ["CREATING", "UPDATING", "UPGRADING", "VERSION_UPDATING"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting")]


@pytest.fixture
def queued(make_token: Callable[..., Token], engineer: User) -> Token:
    return asked_for(make_token(engineer))


@pytest.fixture(autouse=True)
def _as_a_new_process() -> Iterator[None]:
    gateway._Ear.noted_at = float("-inf")
    for memory in (gateway._refused, gateway._Ear.refusals):
        memory.clear()
    yield
    for memory in (gateway._refused, gateway._Ear.refusals):
        memory.clear()


def try_now(token: Token) -> Token:
    """The next attempt, without its wait."""
    Token.objects.filter(pk=token.pk).update(not_before=None)
    Workspace.objects.update(described_at=None)
    issue(token.pk)
    gateway.note_heard()
    token.refresh_from_db()
    return token


def until(token: Token, minutes: int) -> str:
    assert token.waits_since is not None
    return f"until {token.waits_since + timedelta(minutes=minutes):%H:%M} UTC"


def degraded() -> list[str]:
    said: list[str] = json.loads(health.readyz(RequestFactory().get("/readyz")).content)["degraded"]
    return said


def change(aws: SandboxProcess, workspace: Workspace, status: str) -> None:
    """At AWS; our copy may say so or not."""
    aws.put_workspace(workspace.aws_id, status=status)


def waited(token: Token, minutes: float) -> None:
    Token.objects.filter(pk=token.pk).update(
        waits_since=timezone.now() - timedelta(minutes=minutes)
    )


# -- A workspace that is being changed ------------------------------------------------------------


@pytest.mark.parametrize("status", CHANGING)
@pytest.mark.parametrize("is_known", [True, False])
def test_a_request_waits_until_the_workspace_is_changed(
    queued: Token, aws: SandboxProcess, catalog: Catalog, status: str, is_known: bool
) -> None:
    change(aws, catalog.workspace, status)
    if is_known:
        Workspace.objects.filter(pk=catalog.workspace.pk).update(status=status)
    for _ in range(3):
        try_now(queued)
        assert queued.state == State.QUEUED
        assert not queued.may_exist_at_aws
    if is_known:
        assert aws.calls(CREATE) == []
    said = explain.message(queued)
    assert "AWS is changing the workspace" in said
    assert until(queued, 30) in said
    change(aws, catalog.workspace, "ACTIVE")
    assert try_now(queued).state == State.SEALED
    catalog.workspace.refresh_from_db()
    assert catalog.workspace.status == "ACTIVE", "and the form says so at once"


def test_what_the_catalog_does_not_know_yet_is_asked_for_before_the_next_create(
    queued: Token, aws: SandboxProcess, catalog: Catalog
) -> None:
    change(aws, catalog.workspace, "UPDATING")
    for _ in range(4):
        try_now(queued)
    assert (len(aws.calls(CREATE)), len(aws.calls(DESCRIBE))) == (1, 3)


def test_many_who_wait_for_one_workspace_ask_once(
    make_token: Callable[..., Token], engineer: User, aws: SandboxProcess, catalog: Catalog
) -> None:
    change(aws, catalog.workspace, "UPDATING")
    Workspace.objects.filter(pk=catalog.workspace.pk).update(status="UPDATING")
    tokens = [asked_for(make_token(engineer)) for _ in range(5)]
    for token in tokens:
        issue(token.pk)
    assert len(aws.calls(DESCRIBE)) == 1
    assert set(Token.objects.values_list("state", flat=True)) == {State.QUEUED}
    change(aws, catalog.workspace, "ACTIVE")
    try_now(tokens[0])
    for token in tokens[1:]:
        Token.objects.filter(pk=token.pk).update(not_before=None)
        issue(token.pk)
    assert len(aws.calls(DESCRIBE)) == 2
    assert set(Token.objects.values_list("state", flat=True)) == {State.SEALED}


def test_after_half_an_hour_it_fails_and_says_so(
    queued: Token, aws: SandboxProcess, catalog: Catalog
) -> None:
    change(aws, catalog.workspace, "VERSION_UPDATING")
    Workspace.objects.filter(pk=catalog.workspace.pk).update(status="VERSION_UPDATING")
    try_now(queued)
    waited(queued, 29)
    assert try_now(queued).state == State.QUEUED
    waited(queued, 31)
    assert try_now(queued).state == State.FAILED
    assert not queued.may_exist_at_aws
    assert "for 30 minutes, and tries no more" in explain.message(queued)
    assert "VERSION_UPDATING" in queued.error_message
    assert aws.calls(CREATE) == []


@pytest.mark.parametrize("status", ["DELETING", "DELETION_FAILED", "CREATION_FAILED"])
def test_a_workspace_that_turns_out_to_be_lost_is_not_waited_for(
    queued: Token, aws: SandboxProcess, catalog: Catalog, status: str
) -> None:
    change(aws, catalog.workspace, "UPDATING")
    try_now(queued)
    change(aws, catalog.workspace, status)
    assert try_now(queued).state == State.FAILED
    assert queued.error_code == "NotUsable"
    assert status in queued.error_message


@pytest.mark.parametrize(
    "status",
    [
        *("DEGRADED", "UPDATE_FAILED", "UPGRADE_FAILED", "VERSION_UPDATE_FAILED"),
        *("LICENSE_REMOVAL_FAILED", "FAILED", "A_STATE_OF_TOMORROW"),
    ],
)
def test_in_a_state_in_which_grafana_runs_nobody_waits(
    queued: Token, aws: SandboxProcess, catalog: Catalog, status: str
) -> None:
    change(aws, catalog.workspace, status)
    Workspace.objects.filter(pk=catalog.workspace.pk).update(status=status)
    assert try_now(queued).state == State.SEALED
    assert aws.calls(DESCRIBE) == []


def test_who_may_not_describe_a_workspace_leaves_it_to_the_create(
    queued: Token, aws: SandboxProcess, catalog: Catalog
) -> None:
    Workspace.objects.filter(pk=catalog.workspace.pk).update(status="ACTIVE")
    Token.objects.filter(pk=queued.pk).update(error_code="ConflictException")
    aws.fault("error", "before", operation=DESCRIBE, status=403, type="AccessDeniedException")
    assert try_now(queued).state == State.SEALED


# -- Our own credentials, and our clock -----------------------------------------------------------


@pytest.mark.parametrize(("status", "code"), REFUSALS)
def test_refused_credentials_are_waited_for_and_named_once(
    queued: Token,
    aws: SandboxProcess,
    caplog: pytest.LogCaptureFixture,
    status: int,
    code: str,
) -> None:
    for kind in ("worker", "scheduler"):
        Heartbeat.beat(kind)
    for _ in range(4):
        aws.fault("error", "before", operation=CREATE, status=status, type=code)
    for _ in range(4):
        try_now(queued)
        assert (queued.state, queued.error_code) == (State.QUEUED, code)
        assert not queued.may_exist_at_aws
    said = explain.message(queued)
    assert "the portal's trouble, not yours, and nothing was made" in said
    assert until(queued, 10) in said
    assert degraded() == ["aws_credentials"]
    lines = [one for one in caplog.records if "aws_credentials" in one.getMessage()]
    assert [(one.levelno, code in one.__dict__["reason"]) for one in lines] == [
        (logging.WARNING, True)
    ]

    assert try_now(queued).state == State.SEALED
    assert degraded() == []
    lines = [one for one in caplog.records if "aws_credentials" in one.getMessage()]
    assert [one.levelno for one in lines] == [logging.WARNING, logging.INFO]


def test_after_ten_minutes_of_it_a_request_fails_and_is_the_operators_to_mend(
    queued: Token, aws: SandboxProcess
) -> None:
    for _ in range(3):
        aws.fault("error", "before", operation=CREATE, status=403, type="ExpiredTokenException")
    try_now(queued)
    waited(queued, 9)
    assert try_now(queued).state == State.QUEUED
    waited(queued, 11)
    assert try_now(queued).state == State.FAILED
    assert not queued.may_exist_at_aws
    trouble = explain.error(queued)
    assert trouble is not None
    assert trouble.is_for_operators
    assert "for 10 minutes, and tries no more" in trouble.next


def test_another_trouble_in_between_begins_the_wait_anew(
    queued: Token, aws: SandboxProcess
) -> None:
    refused = {"operation": CREATE, "status": 403, "type": "ExpiredTokenException"}
    aws.fault("error", "before", **refused)
    aws.fault("error", "before", operation=CREATE, status=429, type="ThrottlingException")
    aws.fault("error", "before", **refused)
    try_now(queued)
    waited(queued, 9)
    assert try_now(queued).waits_since is None
    began = try_now(queued).waits_since
    assert began is not None
    assert began > timezone.now() - timedelta(minutes=1)


def test_permissions_are_not_waited_for(queued: Token, aws: SandboxProcess) -> None:
    aws.fault("error", "before", operation=CREATE, status=403, type="AccessDeniedException")
    assert try_now(queued).state == State.FAILED
    assert Connection.objects.exclude(refused_since=None).count() == 0


def test_credentials_that_are_refused_while_an_outcome_is_unknown_leave_it_unknown(
    queued: Token, aws: SandboxProcess
) -> None:
    aws.fault("error", "after", operation=CREATE, status=500, type="InternalServerException")
    aws.fault("error", "before", operation=LIST, status=403, type="ExpiredTokenException")
    aws.fault("error", "before", operation=LIST, status=403, type="ExpiredTokenException")
    try_now(queued)
    assert try_now(queued).state == State.QUEUED
    waited(queued, 11)
    assert try_now(queued).state == State.FAILED
    assert queued.may_exist_at_aws
    assert queued.unresolved_since is not None


def test_after_a_refusal_credentials_are_fetched_anew(
    aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch, catalog: Catalog
) -> None:
    """What the environment says by then counts: a key that was rotated, a role's next session."""
    main = catalog.workspace.connection
    right = aws.secret_key
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-wrong-one")
    forget_clients()
    assert sync_catalog(main, actor=SYSTEM).unread
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", right)
    assert not sync_catalog(main, actor=SYSTEM).unread
