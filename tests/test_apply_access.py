"""Applying an access file: one reviewed text decides who may request what."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from portal import access, policy
from portal.access import AccessFileError
from portal.audit import SYSTEM
from portal.flows.apply_access import Plan, apply_access, connect
from portal.models import (
    AuditEvent,
    Connection,
    Grant,
    Membership,
    Role,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
    Workspace,
)
from tests import big_access
from tests.conftest import Catalog

ROOT = Path(__file__).resolve().parents[1]

EXAMPLE = """
version: 1
connections:
  main: {region: eu-west-1}
people:
  - {email: admin@example.com, admin: true, auditor: true}
teams:
  platform:
    leads: [lead@example.com]
    members: [engineer@example.com, teammate@example.com]
    idp_groups: [grafana-platform]
    lead_idp_groups: [grafana-platform-leads]
    grants:
      - workspace: g-1a2b3c4d5e
        service_accounts: ["*"]
        max_ttl: 30d
        default_ttl: 7d
        approval: never
        reason: optional
        self_approval: false
        max_live: 20
        max_live_per_person: 5
"""


def apply(text: str, *, dry_run: bool = False) -> Plan:
    file = access.parse(text)
    return apply_access(file, actor=SYSTEM, sha256="5eed", dry_run=dry_run, leave_no_admin=True)


def everything() -> list[object]:
    """Every row that an access file could touch."""
    models = (Connection, User, Team, Membership, Grant, AuditEvent)
    return [list(model._default_manager.order_by("pk").values_list()) for model in models]


@pytest.fixture
def example_workspace(db: None) -> Workspace:
    return Workspace.objects.create(
        connection=Connection.objects.create(name="main"),
        aws_id="g-1a2b3c4d5e",
        name="observability-prod",
        status="ACTIVE",
    )


def problems(act: Callable[[], object]) -> list[str]:
    with pytest.raises(AccessFileError) as refused:
        act()
    return refused.value.problems


# -- What a file says ---------------------------------------------------------------------------


@pytest.mark.usefixtures("example_workspace")
def test_the_example_applies() -> None:
    plan = apply(EXAMPLE)
    assert plan.lines == [
        "~ connection main: region",
        "+ person admin@example.com: admin and auditor",
        "+ person engineer@example.com",
        "+ person lead@example.com",
        "+ person teammate@example.com",
        "+ team platform",
        "~ team platform: idp_groups now grafana-platform",
        "~ team platform: lead_idp_groups now grafana-platform-leads",
        "+ lead lead@example.com of platform",
        "+ member engineer@example.com of platform",
        "+ member teammate@example.com of platform",
        "+ grant of platform for observability-prod / every account: max_ttl 30d, default_ttl 7d, "
        "approval never, reason optional, self_approval false, max_overlap 7d, max_live 20, "
        "max_live_per_person 5",
    ]
    assert Connection.objects.get().region == "eu-west-1"
    admin = User.objects.get(email="admin@example.com")
    assert (admin.is_admin, admin.is_auditor) == (True, True)
    assert not admin.has_usable_password()
    roles = Membership.objects.values_list("user__email", "role")
    assert dict(roles) == {
        "lead@example.com": "lead",
        "engineer@example.com": "member",
        "teammate@example.com": "member",
    }
    grant = Grant.objects.get()
    assert (grant.workspace, grant.service_account) == (Workspace.objects.get(), None)
    assert (grant.max_ttl, grant.default_ttl) == (30 * 86_400, 7 * 86_400)
    assert (grant.approval, grant.reason_required, grant.self_approval) == ("never", False, False)
    assert (grant.max_live, grant.max_live_per_person) == (20, 5)


@pytest.mark.usefixtures("example_workspace")
def test_the_example_of_the_documentation_applies() -> None:
    [example] = re.findall(r"```yaml\n(.+?)```", (ROOT / "docs/ACCESS.md").read_text(), re.DOTALL)
    assert apply(example).lines


@pytest.mark.usefixtures("example_workspace")
def test_each_change_is_an_event_that_names_the_file() -> None:
    plan = apply(EXAMPLE)
    events = AuditEvent.objects.values_list("action", "actor", "subject", "reason")
    assert list(events) == [("access.changed", "portal", line, "file 5eed") for line in plan.lines]


@pytest.mark.usefixtures("example_workspace")
def test_applied_again_it_changes_nothing_and_records_nothing() -> None:
    apply(EXAMPLE)
    before = everything()
    assert apply(EXAMPLE).lines == []
    assert everything() == before


@pytest.mark.usefixtures("example_workspace")
def test_a_dry_run_shows_the_same_plan_and_changes_nothing() -> None:
    before = everything()
    plan = apply(EXAMPLE, dry_run=True)
    assert everything() == before
    assert apply(EXAMPLE).lines == plan.lines


# -- What changes -------------------------------------------------------------------------------

PLATFORM = """
version: 1
connections: {{main: {{}}}}
teams:
  platform:
    leads: [{leads}]
    members: [{members}]
    grants: [{grants}]
  mobile: {{members: [outsider@example.com]}}
"""


WARNINGS = (
    "? line 9, column 3: teams.mobile: nobody leads this team: admins answer its requests and see "
    "to its tokens\n"
    "? line 9, column 3: teams.mobile: this team has no grant: its people can request nothing\n"
)


def platform_file(
    leads: str = "lead@example.com",
    members: str = "engineer@example.com",
    grants: str = "{workspace: observability}",
) -> str:
    return PLATFORM.format(leads=leads, members=members, grants=grants)


@pytest.fixture
def applied(catalog: Catalog) -> None:
    apply(platform_file())


def roles() -> dict[str, str]:
    return dict(Membership.objects.filter(team__slug="platform").values_list("user__email", "role"))


@pytest.mark.usefixtures("applied")
def test_who_is_no_longer_named_loses_the_membership_and_keeps_the_account() -> None:
    plan = apply(platform_file(members=""))
    assert plan.lines == ["- member engineer@example.com of platform"]
    assert roles() == {"lead@example.com": "lead"}
    assert User.objects.filter(email="engineer@example.com").exists()


@pytest.mark.usefixtures("applied")
def test_a_member_becomes_a_lead_and_a_lead_a_member() -> None:
    apply(platform_file(leads="engineer@example.com", members="lead@example.com"))
    assert roles() == {"engineer@example.com": Role.LEAD, "lead@example.com": Role.MEMBER}


@pytest.mark.usefixtures("applied")
def test_letter_case_makes_no_other_person() -> None:
    plan = apply(platform_file(leads="Lead@Example.com", members="ENGINEER@example.com"))
    assert plan.lines == []


@pytest.mark.usefixtures("applied")
def test_a_person_made_elsewhere_in_capitals_is_the_same_person() -> None:
    person = User(email="Eve@Example.com")
    person.set_unusable_password()
    person.full_clean()
    person.save()
    apply(platform_file(members="engineer@example.com, eve@example.com"))
    assert roles()["eve@example.com"] == Role.MEMBER


@pytest.mark.usefixtures("applied")
def test_a_team_that_is_no_longer_named_is_closed_and_can_open_again() -> None:
    text = platform_file()
    without = re.sub(r"  mobile:.*\n", "", text)
    assert apply(without).lines == ["- team mobile: closed"]
    assert Team.objects.get(slug="mobile").closed_at is not None
    assert apply(without).lines == []
    assert apply(text).lines == ["~ team mobile: opened again"]
    assert Team.objects.get(slug="mobile").closed_at is None


@pytest.mark.usefixtures("applied")
def test_a_person_whom_the_file_names_only_as_a_member_stays_what_they_are() -> None:
    User.objects.filter(email="engineer@example.com").update(is_auditor=True)
    apply(platform_file())
    assert User.objects.get(email="engineer@example.com").is_auditor


@pytest.mark.usefixtures("applied")
def test_where_the_file_lists_people_nobody_else_is_admin_or_auditor() -> None:
    User.objects.create_superuser("old@example.com")
    plan = apply(platform_file() + "people: [{email: new@example.com, auditor: true}]\n")
    assert plan.lines == [
        "~ person old@example.com: now neither admin nor auditor",
        "+ person new@example.com: auditor",
    ]
    old = User.objects.get(email="old@example.com")
    assert (old.is_admin, old.is_auditor, old.is_active) == (False, False, True)


@pytest.mark.usefixtures("applied")
def test_a_teams_groups_for_single_sign_on_are_kept_for_it() -> None:
    text = platform_file().replace("    leads:", "    idp_groups: [b, a]\n    leads:", 1)
    assert apply(text).lines == ["~ team platform: idp_groups now b, a"]
    assert Team.objects.get(slug="platform").idp_groups == ["b", "a"]
    assert apply(text).lines == []
    assert apply(platform_file()).lines == ["~ team platform: idp_groups now none"]


@pytest.mark.usefixtures("applied")
def test_an_admin_whom_the_file_names_as_none_is_none_any_more() -> None:
    User.objects.filter(email="lead@example.com").update(is_admin=True)
    apply(platform_file() + "people: [{email: lead@example.com}]\n")
    assert not User.objects.get(email="lead@example.com").is_admin


@pytest.mark.django_db
def test_a_connection_that_is_made_before_the_rest_is_on_record_too() -> None:
    """A start makes connections first, so that the catalog can be read through them."""
    file = access.parse("version: 1\nconnections: {main: {region: eu-west-1}}")
    assert connect(file, actor=SYSTEM, sha256="5eed").lines == ["+ connection main"]
    event = AuditEvent.objects.get()
    assert (event.action, event.subject, event.reason) == (
        "access.changed",
        "+ connection main",
        "file 5eed",
    )
    assert connect(file, actor=SYSTEM).lines == []


@pytest.mark.usefixtures("applied")
def test_a_connections_way_into_aws_changes_in_sight() -> None:
    before = platform_file()
    after = before.replace("{main: {}}", "{main: {role_arn: 'arn:aws:iam::2:role/x'}}")
    assert apply(after).lines == ["~ connection main: role_arn"]
    assert Connection.objects.get().role_arn == "arn:aws:iam::2:role/x"
    assert AuditEvent.objects.filter(subject="~ connection main: role_arn").exists()


# -- Grants -------------------------------------------------------------------------------------


def grants() -> set[tuple[str | None, str | None, int]]:
    rows = Grant.objects.filter(team__slug="platform")
    return set(rows.values_list("workspace__name", "service_account__name", "max_ttl"))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("{workspace: '*'}", {(None, None, 2_592_000)}),
        ("{workspace: retail}", {("retail", None, 2_592_000)}),
        ("{workspace: g-00000000b2}", {("retail", None, 2_592_000)}),
        (
            "{workspace: observability, service_accounts: [deployer, '3'], max_ttl: 1d}",
            {("observability", "deployer", 86_400), ("observability", "provisioner", 86_400)},
        ),
        (
            "{workspace: '*', max_ttl: 1h}, {workspace: observability, max_ttl: 1d}, "
            "{workspace: observability, service_accounts: [deployer], max_ttl: 30d}",
            {
                (None, None, 3600),
                ("observability", None, 86_400),
                ("observability", "deployer", 2_592_000),
            },
        ),
        ("", set()),
    ],
)
@pytest.mark.usefixtures("applied")
def test_a_grant_names_accounts_workspaces_or_everything(
    entries: str, expected: set[tuple[str | None, str | None, int]]
) -> None:
    apply(platform_file(grants=entries))
    assert grants() == expected
    assert apply(platform_file(grants=entries)).lines == []


@pytest.mark.usefixtures("applied")
def test_a_grant_whose_limits_change_stays_the_same_row() -> None:
    before = Grant.objects.get(team__slug="platform")
    plan = apply(platform_file(grants="{workspace: observability, max_ttl: 1h, approval: always}"))
    assert plan.lines == [
        "~ grant of platform for observability / every account: max_ttl 30d → 1h, "
        "default_ttl 7d → 1h, approval never → always"
    ]
    after = Grant.objects.get(team__slug="platform")
    assert (after.pk, after.max_ttl, after.approval) == (before.pk, 3600, "always")


@pytest.mark.usefixtures("applied")
def test_a_grant_follows_its_workspace_by_name_to_another_id(catalog: Catalog) -> None:
    Workspace.objects.filter(name="observability").update(name="old")
    Workspace.objects.filter(name="retail").update(name="observability")
    plan = apply(platform_file())
    assert plan.lines == [
        "- grant of platform for old / every account",
        "+ grant of platform for observability / every account: max_ttl 30d, default_ttl 7d, "
        "approval never, reason optional, self_approval false, max_overlap 7d",
    ]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.usefixtures("applied")
def test_of_two_grants_for_the_same_the_strictest_of_each_limit_counts(swapped: bool) -> None:
    entries = [
        "{workspace: retail, max_ttl: 1h, self_approval: true, max_live: 5}",
        "{workspace: g-00000000b2, max_ttl: 1d, default_ttl: 30m, approval: always, "
        "reason: required, max_live_per_person: 2}",
    ]
    apply(platform_file(grants=", ".join(reversed(entries) if swapped else entries)))
    grant = Grant.objects.get(team__slug="platform")
    assert (grant.max_ttl, grant.default_ttl, grant.approval) == (3600, 1800, "always")
    assert (grant.reason_required, grant.self_approval) == (True, False)
    assert (grant.max_live, grant.max_live_per_person) == (5, 2)


@pytest.mark.usefixtures("applied")
def test_a_grant_for_several_accounts_has_its_limits_once_for_all_of_them(
    catalog: Catalog, make_token: Callable[..., Token]
) -> None:
    limited = (
        "{workspace: observability, service_accounts: [deployer, provisioner], max_live: 2, "
        "max_live_per_person: 1}"
    )
    text = platform_file(members="engineer@example.com, teammate@example.com", grants=limited)
    apply(text)
    assert apply(text).lines == []
    people = [User.objects.get(email=f"{name}@example.com") for name in ("engineer", "teammate")]

    def limit_reached(user: User, account: ServiceAccount) -> str:
        choice = policy.entitlement_for(user, user.teams.get(), account)
        assert choice is not None
        found = policy.limit_reached(user, choice)
        return found.message if found else ""

    make_token(people[0], service_account=catalog.deployer)
    assert "it allows 1 for each person" in limit_reached(people[0], catalog.admin_account)
    assert limit_reached(people[1], catalog.admin_account) == ""
    make_token(people[1], service_account=catalog.admin_account)
    Grant.objects.update(max_live_per_person=None)
    assert "it allows 2" in limit_reached(people[0], catalog.deployer)
    apply(platform_file(grants="{workspace: observability, service_accounts: [deployer]}"))
    assert limit_reached(people[0], catalog.deployer) == "", "no limit any more"


# -- Tokens of those who lose access -------------------------------------------------------------


@pytest.fixture
def token(applied: None, make_token: Callable[..., Token]) -> Token:
    return make_token(User.objects.get(email="engineer@example.com"), name="ci")


@pytest.mark.parametrize(
    "text",
    [
        platform_file(members=""),
        platform_file(grants="{workspace: retail}"),
        platform_file().replace("  platform:", "  another:"),
    ],
    ids=["left the team", "grant gone", "team closed"],
)
def test_the_plan_tells_what_ends_and_what_is_left_behind(
    text: str, token: Token, make_token: Callable[..., Token], teammate: User
) -> None:
    live = make_token(token.owner, name="live", state=State.ACTIVE)
    make_token(token.owner, name="ending", state=State.REVOKING)
    make_token(token.owner, name="ended", state=State.REVOKED)
    for dry_run in (True, False):
        plan = apply(text, dry_run=dry_run)
        assert (plan.ends, plan.left) == ([token], [live])
    assert apply(text).left == [], "what was left behind before is not told again"


def test_a_file_that_takes_nothing_away_tells_of_no_tokens(
    token: Token, make_token: Callable[..., Token]
) -> None:
    plan = apply(platform_file(members="engineer@example.com, new@example.com"))
    assert (plan.ends, plan.left) == ([], [])


@pytest.mark.usefixtures("enqueued")
def test_the_command_ends_open_requests_at_once_and_lists_live_tokens(
    token: Token,
    make_token: Callable[..., Token],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
    make_token(token.owner, name="live", state=State.ACTIVE, expires_at=end)
    file = tmp_path / "access.yaml"
    file.write_text(platform_file(members=""))
    call_command("apply_access", str(file), "--dry-run", "--leave-no-admin")
    token.refresh_from_db()
    assert token.state == State.QUEUED
    planned = capsys.readouterr().out
    assert planned == (
        "- member engineer@example.com of platform\n"
        "x queued: ci of engineer@example.com in platform, for observability / deployer\n"
        "! active: live of engineer@example.com in platform, for observability / deployer, "
        "until 2026-12-01 10:00 UTC\n"
        f"{WARNINGS}"
        "1 change to make, 1 request to end (x), 1 live token left behind for lead or admin (!), "
        "2 warnings (?).\n"
    )
    call_command("apply_access", str(file), "--leave-no-admin")
    token.refresh_from_db()
    assert token.state == State.CANCELLED
    assert capsys.readouterr().out == planned.replace("to make", "made").replace("to end", "ended")


# -- What matches nothing ---------------------------------------------------------------------

UNMATCHED = [
    ("{workspace: staging}", "'staging' matches 0 workspaces, not 1"),
    ("{workspace: g-ffffffffff}", "'g-ffffffffff' matches 0 workspaces, not 1"),
    (
        "{workspace: observability, service_accounts: [ci]}",
        "'ci' matches 0 service accounts of observability, not 1",
    ),
    ("{workspace: '*', service_accounts: [deployer]}", "with every workspace goes every service"),
]


@pytest.mark.parametrize(("entries", "problem"), UNMATCHED, ids=[p for _, p in UNMATCHED])
@pytest.mark.usefixtures("applied")
def test_a_grant_that_fits_nothing_changes_nothing_at_all(entries: str, problem: str) -> None:
    before = everything()
    text = platform_file(members="new@example.com", grants=entries)
    [found] = problems(lambda: apply(text))
    assert re.match(r"line 8, column \d+: teams\.platform\.grants\[", found)
    assert problem in found
    assert everything() == before


@pytest.mark.usefixtures("applied")
def test_a_name_that_two_have_is_refused(catalog: Catalog) -> None:
    Workspace.objects.update(name="twin")
    [found] = problems(lambda: apply(platform_file(grants="{workspace: twin}")))
    assert "'twin' matches 2 workspaces, not 1" in found
    ServiceAccount.objects.filter(workspace=catalog.workspace).update(name="twin")
    by_name = f"{{workspace: {catalog.workspace.aws_id}, service_accounts: [twin]}}"
    [found] = problems(lambda: apply(platform_file(grants=by_name)))
    assert "'twin' matches 2 service accounts" in found


@pytest.mark.usefixtures("applied")
def test_what_is_gone_at_aws_matches_nothing() -> None:
    Workspace.objects.filter(name="observability").update(gone_at="2026-01-01T00:00:00Z")
    [found] = problems(lambda: apply(platform_file()))
    assert "matches 0" in found


# -- Size and company ----------------------------------------------------------------------------


def test_a_large_companys_file_applies_and_then_changes_nothing(db: None) -> None:
    big_access.make_catalog()
    text = big_access.access_file("company")
    plan = apply(text)
    counts = (Team, User, Membership, Grant)
    assert [model._default_manager.count() for model in counts] == [200, 5000, 5000, 2000]
    assert len(plan.lines) == 200 + 5000 + 5000 + 2000
    assert AuditEvent.objects.count() == len(plan.lines)
    with CaptureQueriesContext(connection) as queries:
        assert apply(text).lines == []
    assert len(queries) < 30


def test_somebody_who_changes_access_at_the_same_moment_is_told(
    applied: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(*arguments: object, **options: object) -> None:
        raise IntegrityError

    monkeypatch.setattr("portal.flows.apply_access.write_memberships", twice)
    before = everything()
    [found] = problems(lambda: apply(platform_file(members="new@example.com")))
    assert found == "the file: somebody else changed access at the same moment; apply it again"
    assert everything() == before


# -- The command --------------------------------------------------------------------------------


@pytest.mark.usefixtures("applied")
def test_the_command_shows_the_plan_and_applies_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "access.yaml"
    file.write_text(platform_file(members=""))
    call_command("apply_access", str(file), "--dry-run", "--leave-no-admin")
    assert capsys.readouterr().out == (
        f"- member engineer@example.com of platform\n{WARNINGS}1 change to make, 2 warnings (?).\n"
    )
    assert "engineer@example.com" in roles()
    call_command("apply_access", str(file), "--leave-no-admin")
    assert "1 change made, 2 warnings (?)." in capsys.readouterr().out
    assert "engineer@example.com" not in roles()


@pytest.mark.usefixtures("applied")
def test_the_command_names_every_mistake_and_changes_nothing(tmp_path: Path) -> None:
    before = everything()
    file = tmp_path / "access.yaml"
    file.write_text(platform_file(members="nobody", leads="none"))
    with pytest.raises(CommandError) as refused:
        call_command("apply_access", str(file), "--leave-no-admin")
    assert str(refused.value) == (
        f"{file} was not applied; nothing has changed:\n"
        "  line 6, column 13: teams.platform.leads[0]: must be an e-mail address\n"
        "  line 7, column 15: teams.platform.members[0]: must be an e-mail address"
    )
    assert everything() == before


@pytest.mark.django_db
def test_the_command_says_when_it_cannot_read_the_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be read"):
        call_command("apply_access", str(tmp_path / "nothing.yaml"))
    latin1 = tmp_path / "latin1.yaml"
    latin1.write_bytes(b"version: 1 # \xe4")
    with pytest.raises(CommandError, match="can't be read"):
        call_command("apply_access", str(latin1))
