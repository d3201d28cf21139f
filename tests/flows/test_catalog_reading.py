"""The catalog is read workspace by workspace: the trouble of one is no other's, and is named."""

import io
import logging
import re
import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from portal.audit import SYSTEM
from portal.catalog.reading import MOST_SILENT
from portal.flows.sync_catalog import Synced, sync_catalog, sync_catalogs
from portal.gateway import Gateway
from portal.models import Action, AuditEvent, Connection, ServiceAccount, Workspace
from tests.grafana.sandbox_process import PROD, SandboxProcess
from tests.servers import free_port

pytestmark = pytest.mark.django_db

LIST = "ListWorkspaceServiceAccounts"
WORKSPACES = "ListWorkspaces"


@pytest.fixture
def main(aws: SandboxProcess) -> Connection:
    return Connection.objects.create(name="main")


def sync(connection: Connection) -> Synced:
    connection.refresh_from_db()
    return sync_catalog(connection, actor=SYSTEM)


def many(aws: SandboxProcess, count: int) -> None:
    """So many workspaces, the demo's three among them."""
    for number in range(count - 3):
        aws.put_workspace(f"g-{number:010x}", name=f"more-{number}")


def unread(synced: Synced) -> list[tuple[str, str]]:
    return [(one.workspace.id if one.workspace else "", one.trouble.code) for one in synced.unread]


def writes(queries: CaptureQueriesContext) -> list[str]:
    return [
        one["sql"]
        for one in queries.captured_queries
        if re.match(r"(INSERT|UPDATE|DELETE)", one["sql"])
    ]


# -- AWS's limits -------------------------------------------------------------------------------


def test_15_workspaces_are_read_at_once_where_aws_allows_5_calls_a_second(
    aws: SandboxProcess, main: Connection
) -> None:
    many(aws, 15)
    aws.settings(rate_limits={"*": {"per_second": 5}})
    synced = sync(main)
    assert (synced.workspaces, unread(synced)) == (15, [])
    assert Workspace.objects.present().count() == 15
    assert ServiceAccount.objects.count() == 12


@pytest.mark.parametrize("operation", [WORKSPACES, LIST])
def test_one_throttled_call_spoils_no_reading(
    aws: SandboxProcess, main: Connection, operation: str
) -> None:
    aws.fault(
        "error", operation=operation, type="ThrottlingException", headers={"Retry-After": "1"}
    )
    began = time.monotonic()
    assert unread(sync(main)) == []
    assert time.monotonic() - began >= 1
    assert Workspace.objects.count() == 3


def test_what_aws_throttles_for_too_long_is_read_first_the_next_time(
    aws: SandboxProcess, main: Connection
) -> None:
    many(aws, 8)
    throttled: dict[str, Any] = {"type": "ThrottlingException", "headers": {"Retry-After": "3600"}}
    aws.fault("error", operation=LIST, skip=2, times=100, **throttled)
    synced = sync(main)
    assert {code for _, code in unread(synced)} == {"ThrottlingException"}
    left = {workspace for workspace, _ in unread(synced)}
    assert len(left) == 6, "two were read, and stay read"
    assert len(aws.calls(LIST)) == 2 + MOST_SILENT
    aws.clear_faults()
    before = len(aws.calls(LIST))
    assert unread(sync(main)) == []
    asked = [call["workspace_id"] for call in aws.calls(LIST)[before:]]
    assert set(asked[:6]) == left


# -- One workspace's trouble -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "error", "type": "AccessDeniedException"}, "AccessDeniedException"),
        ({"kind": "error", "type": "InternalServerException"}, "InternalServerException"),
        ({"kind": "error", "type": "ValidationException"}, "ValidationException"),
        ({"kind": "html", "status": 502}, "NoAnswer"),
        ({"kind": "html"}, "NoAnswer"),
        ({"kind": "empty"}, "NoAnswer"),
        ({"kind": "truncated"}, "NoAnswer"),
        ({"kind": "drop"}, "NoAnswer"),
    ],
    ids=str,
)
def test_a_workspace_that_cannot_be_read_is_named_and_the_others_are_read(
    aws: SandboxProcess,
    main: Connection,
    fault: dict[str, Any],
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kind = fault.pop("kind")
    aws.fault(kind, operation=LIST, skip=1, **fault)
    with caplog.at_level(logging.WARNING, "portal.flows.sync_catalog"):
        synced = sync(main)
    [one] = synced.unread
    assert one.workspace is not None
    assert (synced.workspaces, one.trouble.code) == (3, code)
    row = Workspace.objects.get(aws_id=one.workspace.id)
    assert (row.unread_code, row.unread_request_id) == (code, one.trouble.request_id)
    assert row.unread_since is not None
    assert Workspace.objects.filter(unread_since=None).count() == 2
    assert ServiceAccount.objects.values("workspace").distinct().count() == 2
    [record] = caplog.records
    said = (record.message, record.workspace, record.code)  # type: ignore[attr-defined]
    assert said == ("catalog.unread", one.workspace.id, code)
    assert unread(sync(main)) == []
    row = Workspace.objects.get(pk=row.pk)
    assert row.unread_since is None, "it is over"
    assert (row.unread_code, row.unread_request_id) == ("", "")
    assert row.service_accounts.count() == 4


def test_what_was_known_of_a_workspace_stays_while_it_cannot_be_read(
    aws: SandboxProcess, main: Connection
) -> None:
    sync(main)
    aws.fault("error", operation=LIST, type="AccessDeniedException", times=None)
    aws.put_workspace(PROD, name="renamed")
    synced = sync(main)
    assert len(synced.unread) == 3
    assert ServiceAccount.objects.present().count() == 12
    assert Workspace.objects.get(aws_id=PROD).name == "renamed", "that was read"


def test_since_when_and_the_first_request_id_stay_and_a_new_code_is_noted(
    aws: SandboxProcess, main: Connection
) -> None:
    aws.fault("error", operation=LIST, type="AccessDeniedException", times=6)
    sync(main)
    first = Workspace.objects.get(aws_id=PROD)
    assert first.unread_request_id
    sync(main)
    again = Workspace.objects.get(aws_id=PROD)
    assert again.unread_request_id == first.unread_request_id
    aws.fault("error", operation=LIST, type="InternalServerException", times=3)
    sync(main)
    other = Workspace.objects.get(aws_id=PROD)
    assert (other.unread_since, other.unread_code) == (
        first.unread_since,
        "InternalServerException",
    )
    assert other.unread_request_id not in ("", first.unread_request_id)


@pytest.mark.parametrize(
    "members", [{"status": "CREATING"}, {"status": "DELETING"}, {"grafana_version": "8.4"}]
)
def test_a_workspace_that_has_no_service_accounts_yet_is_no_trouble(
    aws: SandboxProcess, main: Connection, members: dict[str, str]
) -> None:
    aws.put_workspace(PROD, **members)
    assert unread(sync(main)) == []
    assert Workspace.objects.filter(unread_since=None).count() == 3


def test_a_workspace_that_is_gone_when_it_is_asked_for_has_no_accounts_any_more(
    aws: SandboxProcess, main: Connection
) -> None:
    sync(main)
    aws.fault("error", operation=LIST, type="ResourceNotFoundException", times=3)
    assert unread(sync(main)) == []
    assert not ServiceAccount.objects.present().exists()


# -- A connection's trouble ------------------------------------------------------------------------


def test_one_connection_s_trouble_touches_no_other(
    aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", nobody)
    role = {"role_arn": "arn:aws:iam::111122223333:role/portal"}
    away = Connection.objects.create(name="away", **role)
    Connection.objects.create(name="main")
    elsewhere = Connection.objects.create(name="other", region="eu-west-2")
    first, second, third = sync_catalogs(actor=SYSTEM)
    assert unread(first) == [("", "NotSent")]
    assert (second.workspaces, unread(second)) == (3, [])
    [(_, code)] = unread(third)
    for row in (away, elsewhere):
        row.refresh_from_db()
        assert row.unread_since is not None
    assert (away.unread_code, elsewhere.unread_code) == ("NotSent", code)
    assert elsewhere.unread_request_id
    assert Workspace.objects.unread().count() == 0


def test_the_workspaces_of_a_connection_that_cannot_be_listed_stay_and_count_as_unread(
    aws: SandboxProcess, main: Connection
) -> None:
    sync(main)
    aws.fault("error", operation=WORKSPACES, type="AccessDeniedException")
    [one] = sync(main).unread
    assert str(one).startswith(
        "main: the list of workspaces could not be read: ListWorkspaces: AccessDeniedException "
        f"(HTTP 403, request {one.trouble.request_id})"
    )
    assert Workspace.objects.unread().count() == Workspace.objects.present().count() == 3
    assert unread(sync(main)) == []
    assert not Workspace.objects.unread().exists()


# -- What is kept ----------------------------------------------------------------------------------


def test_what_was_read_is_kept_when_the_reading_is_broken_off(
    aws: SandboxProcess, main: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Gateway.list_service_accounts
    asked: list[str] = []

    def killed_at_the_third(self: Gateway, workspace_id: str, **how: Any) -> Any:
        asked.append(workspace_id)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return read(self, workspace_id, **how)

    with monkeypatch.context() as patch:
        patch.setattr(Gateway, "list_service_accounts", killed_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            sync(main)
    assert set(Workspace.objects.values_list("aws_id", flat=True)) == set(asked[:2])
    assert ServiceAccount.objects.count() == 8
    assert AuditEvent.objects.filter(action=Action.CATALOG_SYNCED).count() == 2
    sync(main)
    assert ServiceAccount.objects.count() == 12


@pytest.mark.parametrize("trouble", [False, True], ids=["all is well", "one can't be read"])
def test_a_reading_that_brings_nothing_new_writes_nothing(
    aws: SandboxProcess, main: Connection, trouble: bool
) -> None:
    if trouble:
        aws.fault("error", operation=LIST, type="AccessDeniedException", times=None)
    sync(main)
    events = AuditEvent.objects.count()
    with CaptureQueriesContext(database) as queries:
        synced = sync(main)
    assert (writes(queries), synced.changes) == ([], 0)
    assert AuditEvent.objects.count() == events


def test_a_workspace_that_is_listed_no_more_is_gone_and_back_when_it_is(
    aws: SandboxProcess, main: Connection
) -> None:
    sync(main)
    aws.delete_workspace(PROD)
    synced = sync(main)
    assert (synced.workspaces, synced.changes) == (2, 1)
    assert Workspace.objects.present().count() == 2
    aws.put_workspace(PROD, name="again")
    sync(main)
    assert Workspace.objects.present().count() == 3


# -- The command -----------------------------------------------------------------------------------


def command() -> tuple[str, str]:
    """What it prints, and what it ends with."""
    out = io.StringIO()
    try:
        call_command("sync_catalog", stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def test_the_command_ends_with_an_error_that_names_what_could_not_be_read(
    aws: SandboxProcess, main: Connection
) -> None:
    aws.fault("error", operation=LIST, type="AccessDeniedException", skip=2)
    out, error = command()
    assert out == "main: 3 workspaces, 8 service accounts, 11 changes\n"
    row = Workspace.objects.get(unread_since__isnull=False)
    assert error.startswith(
        f"main: {row.aws_id} ({row.name}) could not be read: {LIST}: AccessDeniedException "
        f"(HTTP 403, request {row.unread_request_id})"
    )
    assert command() == ("main: 3 workspaces, 12 service accounts, 4 changes\n", "")


def test_the_command_names_every_connection_that_could_not_be_listed(
    aws: SandboxProcess, main: Connection
) -> None:
    Connection.objects.create(name="other", region="eu-west-2")
    aws.fault("error", operation=WORKSPACES, type="AccessDeniedException")
    out, error = command()
    assert out.splitlines() == [
        "main: 0 workspaces, 0 service accounts, 0 changes",
        "other: 0 workspaces, 0 service accounts, 0 changes",
    ]
    assert [line.partition(":")[0] for line in error.splitlines()] == ["main", "other"]
