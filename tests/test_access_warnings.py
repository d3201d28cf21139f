"""What an access file may say without its author's meaning it: warned of, and taken."""

from collections.abc import Callable

import pytest
from pytest_django import Settings

from portal import access
from portal.access import AccessFileError
from portal.audit import SYSTEM
from portal.flows.apply_access import apply_access
from tests.conftest import Catalog


def warnings(text: str) -> list[str]:
    return [str(one) for one in access.parse(f"version: 1\n{text}").warnings]


def team(said: str, *, grants: str = "[{workspace: '*'}]") -> str:
    return f"teams:\n  a: {{{said}, grants: {grants}}}"


FINE = "leads: [l@example.com], members: [m@example.com]"


def test_a_usual_file_is_warned_of_nothing() -> None:
    assert warnings(f"people: [{{email: x@example.com, admin: true}}]\n{team(FINE)}") == []


def test_a_team_that_nobody_leads() -> None:
    [found] = warnings(team("members: [m@example.com]"))
    assert found.startswith("line 3, column 3: teams.a: nobody leads this team")
    assert warnings(team("members: [m@example.com], lead_idp_groups: [g]")) == []


def test_a_team_in_which_nobody_is() -> None:
    assert warnings(team("members: []")) == ["line 3, column 3: teams.a: nobody is in this team"]


def test_a_team_that_may_request_nothing() -> None:
    [found] = warnings(team(FINE, grants="[]"))
    assert found.startswith("line 3, column 3: teams.a: this team has no grant")


def test_a_group_in_both_lists_of_a_team() -> None:
    [found] = warnings(team("idp_groups: [g], lead_idp_groups: [g]"))
    assert "the group g is in idp_groups and in lead_idp_groups: it makes leads" in found


def test_a_group_of_several_teams() -> None:
    grants = "leads: [l@example.com], grants: [{workspace: '*'}]"
    [found] = warnings(
        f"teams:\n  a: {{idp_groups: [g], {grants}}}\n  b: {{lead_idp_groups: [g], {grants}}}"
    )
    assert found.startswith(
        "line 4, column 3: teams.b: the group g is named by several teams (a, b)"
    )


def test_a_person_in_no_team_and_without_a_right() -> None:
    people = "people:\n  - {email: x@example.com}\n  - {email: m@example.com}\n"
    [found] = warnings(f"{people}{team(FINE)}")
    assert found == (
        "line 3, column 13: people[0]: x@example.com is in no team, and neither admin nor auditor"
    )
    with_groups = team(f"{FINE}, idp_groups: [g]")
    assert warnings(f"{people}{with_groups}") == [], "a group may put them in one"


def test_limits_that_let_nobody_in_or_are_never_reached() -> None:
    def grants(limits: str) -> str:
        return team(FINE, grants=f"[{{workspace: w, {limits}}}]")

    assert "of 0 live tokens nobody" in warnings(grants("max_live: 0"))[0]
    assert "of 0 live tokens nobody" in warnings(grants("max_live_per_person: 0"))[0]
    [found] = warnings(grants("max_live: 2, max_live_per_person: 3"))
    assert "max_live_per_person 3 is never reached: max_live is 2" in found
    assert warnings(grants("max_live: 3, max_live_per_person: 3")) == []


def test_a_domain_that_is_spelt_like_another_one() -> None:
    usual = ", ".join(f"p{number}@example.com" for number in range(5))
    said = f"leads: [l@example.com], members: [{usual}, eve@exmaple.com]"
    [found] = warnings(team(said))
    assert "eve@exmaple.com: is example.com meant, as in other addresses?" in found
    assert warnings(team(said.replace("exmaple.com", "partner.example"))) == []
    both = said + ", " + ", ".join(f"q{number}@exmaple.com" for number in range(3))
    assert warnings(team(f"{both[: both.rindex(']')]}]")) == [found], "one of many is not usual"


# -- Overlaps, which the catalog tells ------------------------------------------------------------


def planned(grants: str) -> list[str]:
    text = (
        "version: 1\nadmin_idp_groups: [admins]\nteams:\n  platform:\n    leads: [l@example.com]\n"
        f"    grants:\n{grants}"
    )
    plan = apply_access(access.parse(text), actor=SYSTEM, dry_run=True)
    return [str(one) for one in plan.warnings]


OVERLAPS = [
    pytest.param(
        "    - {workspace: observability, max_ttl: 30d}\n"
        "    - {workspace: g-00000000a1, max_ttl: 1d}\n",
        "line 8, column 19: teams.platform.grants[1]: observability / every account has a grant at "
        "line 7 too: of each limit the stricter one counts",
        id="twice the same",
    ),
    pytest.param(
        "    - {workspace: observability, service_accounts: [deployer, '2']}\n",
        "line 7, column 19: teams.platform.grants[0]: names observability / deployer twice",
        id="an account by its id and its name",
    ),
    pytest.param(
        "    - {workspace: observability, max_ttl: 1d}\n"
        "    - {workspace: observability, service_accounts: [deployer, provisioner]}\n",
        "line 8, column 19: teams.platform.grants[1]: for observability / deployer these limits "
        "count alone, and not those of the broader grant at line 7",
        id="an exception",
    ),
    pytest.param(
        "    - {workspace: '*', approval: always}\n    - {workspace: retail}\n",
        "line 8, column 19: teams.platform.grants[1]: for retail / every account these limits "
        "count alone, and not those of the broader grant at line 7",
        id="an exception from everything",
    ),
]


@pytest.mark.parametrize(("grants", "warning"), OVERLAPS)
def test_grants_that_overlap_with_other_limits(catalog: Catalog, grants: str, warning: str) -> None:
    assert planned(grants) == [warning]


def test_grants_that_overlap_with_the_same_limits(catalog: Catalog) -> None:
    same = (
        "    - {workspace: observability}\n"
        "    - {workspace: observability, service_accounts: [deployer]}\n"
    )
    assert planned(same) == []
    assert (
        planned("    - {workspace: observability}\n    - {workspace: retail, max_ttl: 1d}\n") == []
    )


# -- Regions, which are mistakes -----------------------------------------------------------------


def region(name: str) -> Callable[[], object]:
    return lambda: access.parse(f"version: 1\nconnections:\n  main: {{region: {name}}}")


@pytest.mark.parametrize("name", ["eu-west-1", "us-east-1", "us-gov-west-1", "us-gov-east-1", "''"])
def test_a_region_that_amg_is_in_of_any_partition(name: str) -> None:
    region(name)()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("eu-wset-1", "AWS has no region 'eu-wset-1': is eu-west-1 meant?"),
        ("EU-WEST-1", "AWS has no region 'EU-WEST-1': is "),
        ("us-gov-wset-1", "AWS has no region 'us-gov-wset-1': is us-gov-west-1 meant?"),
        ("eu-north-1", "AMG is not in eu-north-1; it is in ap-northeast-1, "),
        ("cn-north-1", "AMG is not in cn-north-1; it is in "),
    ],
)
def test_another_region_is_a_mistake_with_its_place(name: str, why: str) -> None:
    with pytest.raises(AccessFileError) as refused:
        region(name)()
    [found] = refused.value.problems
    assert found.startswith(f"line 3, column 18: connections.main.region: {why}")


def test_a_setting_lets_a_region_pass_that_botocore_does_not_know(settings: Settings) -> None:
    settings.EXTRA_REGIONS = ["eu-north-1", "xx-new-1"]
    for name in settings.EXTRA_REGIONS:
        region(name)()
    with pytest.raises(AccessFileError):
        region("eu-south-1")()
