"""What AWS did not let the portal read is named where people look at it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client

from portal.models import Connection, Grant, ServiceAccount, Team, User, Workspace
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

SINCE = datetime(2026, 11, 28, 5, 40, tzinfo=UTC)
WORDS = "could not be read since 2026-11-28 05:40 UTC"
CODE = "AccessDeniedException"
FORM = "/tokens/new/"


def cannot_be_read(row: Workspace | Connection) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(
        unread_since=SINCE, unread_code=CODE, unread_request_id="a-request-of-aws"
    )


@pytest.fixture
def form(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


@pytest.mark.parametrize("whole_connection", [False, True])
def test_the_form_says_it_beside_the_workspace(
    form: Client, catalog: Catalog, whole_connection: bool
) -> None:
    assert "could not be read" not in form.get(FORM).content.decode()
    workspace = catalog.workspace
    cannot_be_read(workspace.connection if whole_connection else workspace)
    answer = form.get(FORM)
    [offered] = answer.context["catalog"].workspaces
    assert offered["unread"] == WORDS
    assert offered["obstacle"] == "", "AWS decides whether a token can be made"
    assert offered["room"].startswith(f"It {WORDS}: what is offered may be old.")
    assert f"observability · {workspace.aws_id} — {WORDS}</option>" in answer.content.decode()


def test_a_workspace_whose_accounts_are_not_known_yet_is_named(
    form: Client, catalog: Catalog
) -> None:
    ServiceAccount.objects.filter(workspace=catalog.workspace).delete()
    cannot_be_read(catalog.workspace)
    html = form.get(FORM).content.decode()
    assert "could not be read since" in html
    assert f"<bdi>observability</bdi> · {catalog.workspace.aws_id}" in html
    assert "Nothing is granted" not in html


def test_workspaces_of_other_teams_are_not_named(
    form: Client, catalog: Catalog, platform: Team
) -> None:
    cannot_be_read(catalog.mobile_account.workspace)
    assert "could not be read" not in form.get(FORM).content.decode()
    ServiceAccount.objects.all().delete()
    assert "could not be read" not in form.get(FORM).content.decode()
    Grant.objects.create(team=platform)
    assert "could not be read" in form.get(FORM).content.decode()


def test_the_inventory_says_with_which_code_and_request_id(
    auditor: User, sign_in: Callable[[User], Client], catalog: Catalog
) -> None:
    client = sign_in(auditor)
    assert "could not be read" not in client.get("/inventory/").content.decode()
    cannot_be_read(catalog.workspace)
    cannot_be_read(catalog.workspace.connection)
    html = client.get("/inventory/").content.decode()
    assert html.count("could not be read since") == 2
    assert html.count("a-request-of-aws") == html.count(CODE) == 2
    assert f"observability · {catalog.workspace.aws_id}" in html
    assert "The workspaces of connection main" in html
