"""Policy: who sees what, who may do what, and which limits apply."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from portal import policy
from portal.models import (
    Approval,
    Grant,
    Membership,
    Role,
    ServiceAccount,
    Team,
    Token,
    User,
    Workspace,
)
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(engineer)


def close(team: Team) -> None:
    team.closed_at = timezone.now()
    team.save()


# -- Seeing and doing ---------------------------------------------------------------------------

RIGHTS = {
    # who: (sees the record, receives the key, ends the token)
    "engineer": (True, True, True),
    "teammate": (True, False, False),
    "lead": (True, False, True),
    "outsider": (False, False, False),
    "admin": (True, False, True),
    "auditor": (True, False, False),
}


@pytest.mark.parametrize(("who", "rights"), RIGHTS.items())
def test_who_may_do_what_to_an_engineers_token(
    token: Token, request: pytest.FixtureRequest, who: str, rights: tuple[bool, bool, bool]
) -> None:
    user: User = request.getfixturevalue(who)
    assert (
        policy.may_see(user, token),
        policy.may_receive(user, token),
        policy.may_revoke(user, token),
    ) == rights


@pytest.mark.parametrize("who", RIGHTS)
def test_a_person_who_may_not_sign_in_may_do_nothing(
    token: Token, request: pytest.FixtureRequest, who: str
) -> None:
    user: User = request.getfixturevalue(who)
    user.is_active = False
    assert not policy.may_receive(user, token)
    assert not policy.may_revoke(user, token)


def test_a_token_is_listed_once_to_its_owner_in_several_teams(
    token: Token, engineer: User, mobile: Team
) -> None:
    Membership.objects.create(user=engineer, team=mobile)
    assert policy.may_see(engineer, token)


def test_who_left_the_team_sees_their_own_tokens_and_no_others(
    token: Token, engineer: User, teammate: User
) -> None:
    for user in (engineer, teammate):
        user.memberships.all().delete()
    assert policy.may_see(engineer, token)
    assert not policy.may_see(teammate, token)


def test_a_closed_team_shows_its_tokens_to_their_owners_alone(
    token: Token, engineer: User, teammate: User, lead: User, platform: Team
) -> None:
    close(platform)
    assert policy.may_see(engineer, token)
    for other in (teammate, lead):
        assert not policy.may_see(other, token)
    assert not policy.may_revoke(lead, token)


def test_a_lead_of_one_team_is_none_of_another(
    make_token: Callable[..., Token], outsider: User, lead: User, catalog: Catalog, mobile: Team
) -> None:
    theirs = make_token(outsider, service_account=catalog.mobile_account)
    Membership.objects.create(user=lead, team=mobile)
    assert not policy.may_revoke(lead, theirs)
    Membership.objects.filter(user=lead, team=mobile).update(role=Role.LEAD)
    assert policy.may_revoke(lead, theirs)


# -- Requesting ---------------------------------------------------------------------------------


def offered(user: User) -> list[tuple[str, str]]:
    return [(c.team.slug, c.service_account.name) for c in all_choices(user)]


def all_choices(user: User) -> list[policy.Entitlement]:
    return [
        choice
        for workspace in policy.offer(user).workspaces
        for choice in policy.entitlements(user, workspace)
    ]


def test_members_and_leads_are_offered_what_their_team_is_granted(
    catalog: Catalog, engineer: User, lead: User, outsider: User
) -> None:
    for user in (engineer, lead):
        assert offered(user) == [("platform", "deployer"), ("platform", "provisioner")]
    assert offered(outsider) == [("mobile", "app")]


def test_who_is_in_no_team_is_offered_nothing(catalog: Catalog, admin: User, auditor: User) -> None:
    assert (offered(admin), offered(auditor)) == ([], [])


def test_an_account_that_two_teams_are_granted_is_offered_once_for_each(
    catalog: Catalog, engineer: User, mobile: Team
) -> None:
    Membership.objects.create(user=engineer, team=mobile)
    Grant.objects.create(team=mobile, service_account=catalog.deployer, workspace=catalog.workspace)
    assert offered(engineer) == [
        ("mobile", "deployer"),
        ("platform", "deployer"),
        ("platform", "provisioner"),
        ("mobile", "app"),
    ]


def test_what_is_gone_at_aws_is_not_offered(catalog: Catalog, engineer: User) -> None:
    ServiceAccount.objects.filter(pk=catalog.deployer.pk).update(gone_at=timezone.now())
    assert offered(engineer) == [("platform", "provisioner")]
    Workspace.objects.update(gone_at=timezone.now())
    assert offered(engineer) == []


def test_a_closed_team_is_offered_nothing(catalog: Catalog, engineer: User, platform: Team) -> None:
    close(platform)
    assert offered(engineer) == []
    assert policy.limits_for(engineer, platform, catalog.deployer) is None


def test_nothing_may_be_asked_for_outside_ones_team_or_its_grants(
    catalog: Catalog, engineer: User, outsider: User, platform: Team, mobile: Team
) -> None:
    assert policy.limits_for(engineer, platform, catalog.deployer) is not None
    assert policy.limits_for(engineer, platform, catalog.mobile_account) is None
    assert policy.limits_for(outsider, platform, catalog.deployer) is None
    assert policy.limits_for(engineer, mobile, catalog.mobile_account) is None
    engineer.is_active = False
    assert policy.limits_for(engineer, platform, catalog.deployer) is None


def test_the_most_specific_grant_counts_whether_it_allows_more_or_less(
    catalog: Catalog, engineer: User, platform: Team
) -> None:
    def max_ttl(account: ServiceAccount) -> int:
        limits = policy.limits_for(engineer, platform, account)
        assert limits is not None
        [offer] = [c for c in all_choices(engineer) if c.service_account == account]
        assert offer.limits == limits, "the form and the check agree"
        ids = account.workspace.aws_id, account.aws_id
        assert policy.entitlements_for(engineer, *ids) == [offer], (
            "and what is sent is checked by it"
        )
        return limits.max_ttl

    Grant.objects.filter(team=platform).update(max_ttl=5000, default_ttl=60)
    Grant.objects.create(team=platform, max_ttl=100, default_ttl=60)
    assert max_ttl(catalog.deployer) == 5000, "the workspace's before the one for everything"
    assert max_ttl(catalog.mobile_account) == 100, "the one for everything"
    Grant.objects.create(
        team=platform,
        workspace=catalog.workspace,
        service_account=catalog.deployer,
        max_ttl=300,
        default_ttl=60,
    )
    assert max_ttl(catalog.deployer) == 300, "the account's before the workspace's"
    assert max_ttl(catalog.admin_account) == 5000


@pytest.mark.parametrize(
    ("approval", "editor", "admin_role"),
    [
        (Approval.NEVER, False, False),
        (Approval.ADMIN_ROLE, False, True),
        (Approval.ALWAYS, True, True),
    ],
)
def test_approval_may_depend_on_the_accounts_role(
    catalog: Catalog,
    engineer: User,
    platform: Team,
    approval: Approval,
    editor: bool,
    admin_role: bool,
) -> None:
    Grant.objects.filter(team=platform).update(approval=approval)
    needed = [
        limits.needs_approval
        for account in (catalog.deployer, catalog.admin_account)
        if (limits := policy.limits_for(engineer, platform, account))
    ]
    assert needed == [editor, admin_role]


def test_offering_takes_the_same_number_of_queries_for_many_accounts(
    catalog: Catalog, engineer: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ServiceAccount.objects.bulk_create(
        ServiceAccount(
            workspace=catalog.workspace, aws_id=str(100 + n), name=f"sa-{n}", grafana_role="VIEWER"
        )
        for n in range(50)
    )
    with django_assert_num_queries(2):
        [workspace] = policy.offer(engineer).workspaces
    with django_assert_num_queries(2):
        assert len(policy.entitlements(engineer, workspace)) == 52
    with django_assert_num_queries(2):
        [choice] = policy.entitlements_for(engineer, workspace.aws_id, "149")
    assert choice.service_account.name == "sa-49"


def _everything(catalog: Catalog) -> dict[str, object]:
    return {}


def _a_workspace(catalog: Catalog) -> dict[str, object]:
    return {"workspace": catalog.mobile_account.workspace}


def _an_account(catalog: Catalog) -> dict[str, object]:
    return _a_workspace(catalog) | {"service_account": catalog.mobile_account}


def _a_suspended_one(catalog: Catalog) -> dict[str, object]:
    return _an_account(catalog) | {"suspended_at": timezone.now()}


GRANTED = [_everything, _a_workspace, _an_account, _a_suspended_one]


@pytest.mark.parametrize("gone", ["nothing", "account", "workspace", "team"])
@pytest.mark.parametrize("granted", GRANTED)
def test_the_workspaces_that_are_offered_are_those_with_something_to_ask_for(
    catalog: Catalog,
    engineer: User,
    platform: Team,
    granted: Callable[[Catalog], dict[str, object]],
    gone: str,
) -> None:
    Grant.objects.filter(team=platform).delete()
    Grant.objects.create(team=platform, **granted(catalog))
    if gone == "account":
        ServiceAccount.objects.filter(pk=catalog.mobile_account.pk).update(gone_at=timezone.now())
    elif gone == "workspace":
        Workspace.objects.filter(name="retail").update(gone_at=timezone.now())
    elif gone == "team":
        close(platform)
    may_ask = {
        account.workspace.name
        for account in ServiceAccount.objects.present().select_related("workspace")
        if policy.limits_for(engineer, platform, account) is not None
    }
    assert {one.name for one in policy.offer(engineer).workspaces} == may_ask
    for workspace in Workspace.objects.all():
        found = policy.workspace_for(engineer, workspace.aws_id)
        assert (found is not None) == (workspace.name in may_ask)


def test_workspaces_are_found_by_a_part_of_their_name_or_id(
    catalog: Catalog, engineer: User, platform: Team
) -> None:
    Grant.objects.create(team=platform)
    for text, names in (
        ("SERV", ["observability"]),
        ("000b2", ["retail"]),
        ("", ["observability", "retail"]),
        ("%", []),
    ):
        assert [one.name for one in policy.offer_like(engineer, text).workspaces] == names
    assert policy.offer_like(User.objects.create_user("new@example.com"), "").workspaces == []
