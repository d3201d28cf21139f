"""From an empty database one access file is enough: the catalog of what it brings is read first."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings as portal_settings
from django.core.management import CommandError, call_command
from django.db import models
from django.test import Client
from pytest_django import Settings

from portal import gateway
from portal.embedded.product import collect_static_files
from portal.grafana import clients
from portal.models import (
    Action,
    AuditEvent,
    Connection,
    Grant,
    GroupRight,
    Heartbeat,
    Membership,
    ServiceAccount,
    Team,
    User,
    Workspace,
)
from tests.grafana.sandbox_process import PROD, SandboxProcess

pytestmark = pytest.mark.django_db

FILE = """
version: 1
connections: {main: {region: eu-west-1}}
people: [{email: admin@example.com, admin: true}]
teams:
  platform:
    leads: [lead@example.com]
    grants:
      - {workspace: observability-prod, service_accounts: [terraform]}
      - {workspace: g-2b3c4d5e6f}
"""
LIST = "ListWorkspaceServiceAccounts"
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def _sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def aws(_sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxProcess]:
    redis.Redis.from_url(portal_settings.CACHE_URL).flushdb()
    _sandbox.reset()
    for name, value in _sandbox.environment.items():
        monkeypatch.setenv(name, value)
    clients.forget_clients()
    monkeypatch.setattr(gateway._Ear, "noted_at", float("-inf"))  # another test may have noted it
    yield _sandbox
    clients.forget_clients()


@pytest.fixture
def apply(tmp_path: Path) -> Callable[..., str]:
    def apply(text: str, *options: str) -> str:
        file = tmp_path / "access.yaml"
        file.write_text(text)
        out = io.StringIO()
        call_command("apply_access", str(file), *options, stdout=out)
        return out.getvalue()

    return apply


def everything() -> list[object]:
    kept: tuple[type[models.Model], ...] = (
        Connection,
        Workspace,
        ServiceAccount,
        User,
        Team,
        Membership,
        Grant,
        GroupRight,
        AuditEvent,
        Heartbeat,
    )
    return [list(model._default_manager.order_by("pk").values_list()) for model in kept]


def test_one_file_is_enough(aws: SandboxProcess, apply: Callable[..., str]) -> None:
    apply(FILE)
    by_name, whole = Grant.objects.order_by("pk")
    assert by_name.service_account is not None
    assert by_name.service_account.name == "terraform"
    assert (whole.workspace, whole.service_account) == (
        Workspace.objects.get(aws_id="g-2b3c4d5e6f"),
        None,
    )
    assert (Workspace.objects.count(), ServiceAccount.objects.count()) == (3, 12)
    [event] = AuditEvent.objects.filter(action=Action.CATALOG_SYNCED)
    assert (event.subject, event.count) == ("main: 3 workspaces, 12 service accounts", 15)
    assert Heartbeat.objects.filter(kind=gateway.HEARD).exists()


def test_the_first_hour_of_the_documentation_leads_to_an_admin_who_can_request_a_token(
    aws: SandboxProcess, apply: Callable[..., str], settings: Settings
) -> None:
    collect_static_files()
    settings.WHITENOISE_AUTOREFRESH = True
    [first] = re.findall(r"```yaml\n(.+?)```", (ROOT / "docs/OPERATIONS.md").read_text(), re.DOTALL)
    assert "warning" not in apply(first)
    out = io.StringIO()
    call_command("invite", "you@example.com", stdout=out)
    link = out.getvalue().strip().removeprefix(settings.PORTAL_ORIGIN)
    browser = Client()
    password = "correct horse battery staple"
    browser.post(link, {"password1": password, "password2": password})
    browser.post("/accounts/login/", {"login": "you@example.com", "password": password})
    form = browser.get("/tokens/new/")
    assert [one["name"] for one in form.context["catalog"].workspaces] == [
        "observability-prod",
        "observability-staging",
        "retail-mobile",
    ]
    assert browser.get("/audit/").status_code == browser.get("/admin/").status_code == 200


def test_a_dry_run_shows_the_same_plan_and_writes_nothing(
    aws: SandboxProcess, apply: Callable[..., str]
) -> None:
    before = everything()
    planned = apply(FILE, "--dry-run")
    assert everything() == before
    assert apply(FILE) == planned.replace("to make", "made")


def test_a_mistake_that_the_catalog_shows_changes_nothing_at_all(
    aws: SandboxProcess, apply: Callable[..., str]
) -> None:
    before = everything()
    with pytest.raises(CommandError) as refused:
        apply(FILE.replace("observability-prod", "observability"))
    assert "line 9, column 21: teams.platform.grants[0]: 'observability' matches 0" in str(
        refused.value
    )
    assert everything() == before


def test_the_catalog_of_a_connection_that_is_known_is_not_read_again(
    aws: SandboxProcess, apply: Callable[..., str]
) -> None:
    apply(FILE)
    calls = len(aws.calls())
    apply(FILE)
    assert len(aws.calls()) == calls


@pytest.mark.parametrize("known", [{"region": ""}, {"region": "eu-west-1"}])
def test_it_is_read_where_the_connection_changes_or_nothing_is_known_of_it_yet(
    aws: SandboxProcess, apply: Callable[..., str], known: dict[str, str]
) -> None:
    Connection.objects.create(name="main", **known)
    apply(FILE)
    assert Grant.objects.count() == 2


def test_what_aws_does_not_let_be_read_is_named_and_the_rest_applies(
    aws: SandboxProcess, apply: Callable[..., str]
) -> None:
    aws.fault("error", operation=LIST, type="AccessDeniedException", skip=1, times=1)
    text = FILE.replace("service_accounts: [terraform]", "service_accounts: ['*']")
    out = apply(text)
    row = Workspace.objects.get(unread_since__isnull=False)
    assert (
        f"? line 3, column 15: connections.main: {row.aws_id} ({row.name}) could not be read: "
        f"{LIST}: AccessDeniedException (HTTP 403, request {row.unread_request_id})"
    ) in out
    assert ", 1 warning (?)." in out
    assert Grant.objects.count() == 2


def test_a_grant_for_what_could_not_be_read_is_refused_with_the_reason(
    aws: SandboxProcess, apply: Callable[..., str]
) -> None:
    before = everything()
    aws.fault("error", operation=LIST, type="AccessDeniedException", times=None)
    with pytest.raises(CommandError) as refused:
        apply(FILE)
    said = str(refused.value)
    assert "'terraform' matches 0 service accounts of observability-prod" in said
    assert f"connections.main: {PROD} (observability-prod) could not be read: {LIST}" in said
    assert everything() == before


def test_a_connection_that_leads_nowhere_is_made_where_no_grant_needs_it(
    aws: SandboxProcess, apply: Callable[..., str]
) -> None:
    """The role may be set up later; the catalog is then read as it always is."""
    text = FILE[: FILE.index("    grants:")].replace("eu-west-1", "eu-west-2")
    out = apply(text)
    assert "? line 3, column 15: connections.main: the list of workspaces could not be read" in out
    connection = Connection.objects.get()
    assert connection.unread_since is not None
    assert connection.unread_code in out


# -- Somebody must be admin -----------------------------------------------------------------------

NOBODY = (
    "the file: after it nobody is admin, neither by name nor by admin_idp_groups: name one, or say "
    "--leave-no-admin if that is meant"
)


@pytest.mark.parametrize("people", ["people: []", "", "people: [{email: a@b.c, auditor: true}]"])
def test_a_file_after_which_nobody_is_admin_is_refused_unless_that_is_said(
    apply: Callable[..., str], people: str
) -> None:
    before = everything()
    for options in ([], ["--dry-run"]):
        with pytest.raises(CommandError) as refused:
            apply(f"version: 1\n{people}", *options)
        assert NOBODY in str(refused.value)
    assert everything() == before
    apply(f"version: 1\n{people}", "--leave-no-admin")


@pytest.mark.parametrize(
    "said",
    ["people: [{email: a@b.c, admin: true}]", "admin_idp_groups: [admins]"],
)
def test_one_by_name_or_a_group_is_enough(apply: Callable[..., str], said: str) -> None:
    apply(f"version: 1\n{said}")


def test_an_admin_who_stays_is_enough_and_one_whom_the_file_ends_is_not(
    apply: Callable[..., str],
) -> None:
    User.objects.create_superuser("admin@example.com")
    apply("version: 1")
    with pytest.raises(CommandError):
        apply("version: 1\npeople: []")
    assert User.objects.get().is_admin


@pytest.mark.parametrize("people", ["", "people: [{email: Admin@example.com, admin: true}]"])
def test_an_admin_who_may_not_sign_in_is_none(apply: Callable[..., str], people: str) -> None:
    User.objects.create_superuser("admin@example.com", is_active=False)
    with pytest.raises(CommandError):
        apply(f"version: 1\n{people}")


# -- What else it says ----------------------------------------------------------------------------

MORE = """
version: 1
admin_idp_groups: [portal-admins, root]
auditor_idp_groups: [audit]
teams:
  platform: {leads: [lead@example.com], on_leaving: revoke, grants: [{workspace: '*', GRANT}]}
"""


def more(grant: str = "max_overlap: 1d") -> str:
    return MORE.replace("GRANT", grant)


def test_groups_with_rights_leaving_and_overlaps_are_kept_planned_and_recorded(
    apply: Callable[..., str],
) -> None:
    lines = apply(more()).splitlines()
    assert "~ admin_idp_groups now portal-admins, root" in lines
    assert "~ auditor_idp_groups now audit" in lines
    assert "~ team platform: on_leaving now revoke" in lines
    assert any(line.endswith("self_approval false, max_overlap 1d") for line in lines)
    assert list(GroupRight.objects.values_list("right", "group")) == [
        ("admin", "portal-admins"),
        ("admin", "root"),
        ("auditor", "audit"),
    ]
    assert (Team.objects.get().on_leaving, Grant.objects.get().max_overlap) == ("revoke", 86_400)
    recorded = AuditEvent.objects.filter(action=Action.ACCESS_CHANGED)
    assert set(recorded.values_list("subject", flat=True)) == set(lines[:-1])
    assert apply(more()) == "0 changes made.\n"
    assert apply(more("max_overlap: 0s")) == (
        "~ grant of platform for every workspace: max_overlap 1d → 0s\n1 change made.\n"
    )


def test_what_the_file_says_no_more_is_as_usual_again(apply: Callable[..., str]) -> None:
    apply(more())
    User.objects.create_superuser("admin@example.com")
    usual = "teams: {platform: {leads: [lead@example.com], grants: [{workspace: '*'}]}}"
    assert apply(f"version: 1\n{usual}").splitlines() == [
        "~ admin_idp_groups now none",
        "~ auditor_idp_groups now none",
        "~ team platform: on_leaving now keep",
        "~ grant of platform for every workspace: max_overlap 1d → 7d",
        "4 changes made.",
    ]
    assert not GroupRight.objects.exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (more("max_overlap: 31d"), "grants[0].max_overlap: must be a duration such as 8h, from 0s"),
        (
            more("max_overlap: soon"),
            "grants[0].max_overlap: must be a duration such as 8h, from 0s",
        ),
        (more().replace("revoke", "ask"), "platform.on_leaving: must be one of keep, revoke"),
        (more().replace("[audit]", "audit"), "auditor_idp_groups: must be a list"),
        (more().replace("[audit]", "[a, a]"), "auditor_idp_groups[1]: a stands here twice"),
        (more().replace("[audit]", "['']"), "auditor_idp_groups[0]: names no group"),
    ],
)
def test_a_mistake_in_them_is_named(apply: Callable[..., str], text: str, problem: str) -> None:
    with pytest.raises(CommandError) as refused:
        apply(text)
    assert problem in str(refused.value)
