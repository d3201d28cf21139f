"""Groups of provisioning are groups of the access file, beside those of a sign-in."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import sessions
from portal.access import parse
from portal.flows.apply_access import apply_access
from portal.flows.provision_groups import follow_changed_groups
from portal.flows.sync_groups import sync_groups
from portal.models import (
    AuditEvent,
    GroupRight,
    Membership,
    PersonGroup,
    Right,
    ScimGroup,
    ScimGroupMember,
    State,
    Team,
    Token,
    User,
)
from portal.sessions import SessionStore
from tests.conftest import acting
from tests.views.scim.conftest import GROUPS, PATCH, USERS, Provider

pytestmark = pytest.mark.django_db

OBJECT_ID = "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"


@pytest.fixture(autouse=True)
def mapping(platform: Team, mobile: Team) -> None:
    Team.objects.filter(pk=platform.pk).update(
        idp_groups=["grafana-platform"], lead_idp_groups=["grafana-leads"]
    )
    Team.objects.filter(pk=mobile.pk).update(idp_groups=[OBJECT_ID])
    GroupRight.objects.create(group="portal-admins", right=Right.ADMIN)


@pytest.fixture
def newcomer(db: None) -> User:
    return User.objects.create_user("newcomer@example.com", is_named=False)


def roles(person: User) -> dict[str, str]:
    return dict(person.memberships.order_by("team__slug").values_list("team__slug", "role"))


def members(*people: User | str) -> list[dict[str, str]]:
    return [{"value": str(getattr(one, "pk", one))} for one in people]


def in_group(provider: Provider, key: str) -> list[str]:
    told = provider.get(f"{GROUPS}/{key}")
    return [one["value"] for one in told.get("members", [])]


def test_a_group_is_made_with_its_people(provider: Provider, newcomer: User) -> None:
    key = provider.create(
        GROUPS, displayName="grafana-platform", externalId="e", members=members(newcomer)
    )
    told = provider.get(f"{GROUPS}/{key}")
    assert told.pop("meta")["resourceType"] == "Group"
    [member] = told.pop("members")
    assert member["$ref"].endswith(f"/scim/v2/Users/{newcomer.pk}")
    assert (member["value"], member["type"]) == (str(newcomer.pk), "User")
    assert told == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "id": key,
        "externalId": "e",
        "displayName": "grafana-platform",
    }
    assert roles(newcomer) == {"platform": "member"}
    [group] = provider.get(f"{USERS}/{newcomer.pk}")["groups"]
    assert (group["value"], group["display"]) == (key, "grafana-platform")
    event = AuditEvent.objects.get()
    assert (event.actor, event.subject, event.reason) == (
        "provisioning",
        "+ member newcomer@example.com of platform",
        "groups of single sign-on",
    )


@pytest.mark.parametrize("named", [{"displayName": OBJECT_ID}, {"externalId": OBJECT_ID}])
def test_the_file_means_a_group_by_its_name_or_by_its_id(
    provider: Provider, newcomer: User, named: dict[str, str]
) -> None:
    provider.create(GROUPS, **{"displayName": "Mobile people"} | named, members=members(newcomer))
    assert roles(newcomer) == {"mobile": "member"}


def test_groups_make_admins(provider: Provider, newcomer: User) -> None:
    key = provider.create(GROUPS, displayName="portal-admins", members=members(newcomer))
    newcomer.refresh_from_db()
    assert newcomer.is_admin
    provider.patch(f"{GROUPS}/{key}", {"op": "Remove", "path": "members"})
    newcomer.refresh_from_db()
    assert not newcomer.is_admin


JOINING: dict[str, Callable[[str], Any]] = {
    "Entra": lambda key: {"op": "Add", "path": "members", "value": [{"value": key}]},
    "with $ref": lambda key: {"op": "add", "path": "members", "value": [{"$ref": f"Users/{key}"}]},
    "with display": lambda key: {
        "op": "add",
        "path": "members",
        "value": [{"value": key, "display": "x", "type": "User"}],
    },
    "without a path": lambda key: {"op": "add", "value": {"members": [{"value": key}]}},
    "one alone": lambda key: {"op": "ADD", "path": "Members", "value": {"value": key}},
    "plain": lambda key: {"op": "add", "path": "members", "value": [key]},
}
LEAVING: dict[str, Callable[[str], Any]] = {
    "RFC 7644": lambda key: {"op": "remove", "path": f'members[value eq "{key}"]'},
    "Entra": lambda key: {"op": "Remove", "path": "members", "value": [{"value": key}]},
    "one alone": lambda key: {"op": "Remove", "path": "members", "value": {"value": key}},
    "several": lambda key: {
        "op": "remove",
        "path": f'members[value eq "7777" or value eq "{key}"]',
    },
    "its full name": lambda key: {
        "op": "remove",
        "path": f'urn:ietf:params:scim:schemas:core:2.0:Group:members[value eq "{key}"]',
    },
}


@pytest.mark.parametrize("joining", JOINING.values(), ids=JOINING)
def test_each_dialect_lets_somebody_join(
    provider: Provider, newcomer: User, teammate: User, joining: Callable[[str], Any]
) -> None:
    key = provider.create(GROUPS, displayName="grafana-leads", members=members(teammate))
    provider.patch(f"{GROUPS}/{key}", joining(str(newcomer.pk)))
    assert in_group(provider, key) == sorted([str(teammate.pk), str(newcomer.pk)], key=int)
    assert roles(newcomer) == {"platform": "lead"}


@pytest.mark.parametrize("leaving", LEAVING.values(), ids=LEAVING)
def test_each_dialect_takes_somebody_out_and_nobody_else(
    provider: Provider, newcomer: User, teammate: User, leaving: Callable[[str], Any]
) -> None:
    key = provider.create(GROUPS, displayName="grafana-leads", members=members(teammate, newcomer))
    provider.patch(f"{GROUPS}/{key}", leaving(str(newcomer.pk)))
    assert in_group(provider, key) == [str(teammate.pk)]
    assert roles(newcomer) == {}
    assert roles(teammate) == {"platform": "lead"}


def test_okta_renames_a_group_with_an_object(provider: Provider, newcomer: User) -> None:
    key = provider.create(GROUPS, displayName="old", members=members(newcomer))
    assert roles(newcomer) == {}
    change = {"op": "replace", "value": {"id": key, "displayName": "grafana-platform"}}
    provider.patch(f"{GROUPS}/{key}", change)
    assert provider.get(f"{GROUPS}/{key}")["displayName"] == "grafana-platform"
    assert roles(newcomer) == {"platform": "member"}
    provider.patch(f"{GROUPS}/{key}", {"op": "replace", "path": "displayName", "value": "new"})
    assert roles(newcomer) == {}
    assert in_group(provider, key) == [str(newcomer.pk)]


def test_a_put_says_who_is_in_a_group(provider: Provider, newcomer: User, outsider: User) -> None:
    key = provider.create(GROUPS, displayName="grafana-platform", members=members(newcomer))
    said = {"displayName": "grafana-platform", "members": members(outsider)}
    assert provider.send("PUT", f"{GROUPS}/{key}", said)[0] == 200
    assert (roles(newcomer), roles(outsider)) == ({}, {"platform": "member", "mobile": "member"})


def test_a_deleted_group_gives_nothing_any_more(provider: Provider, newcomer: User) -> None:
    key = provider.create(GROUPS, displayName="grafana-platform", members=members(newcomer))
    assert provider.send("DELETE", f"{GROUPS}/{key}")[0] == 204
    assert roles(newcomer) == {}
    assert provider.send("GET", f"{GROUPS}/{key}")[0] == 404
    assert provider.send("DELETE", f"{GROUPS}/{uuid.uuid4()}")[0] == 404


def test_whom_nobody_knows_is_passed_over(
    provider: Provider, newcomer: User, teammate: User
) -> None:
    provider.send("DELETE", f"{USERS}/{teammate.pk}")
    nested = provider.create(GROUPS, displayName="nested")
    given = members(newcomer, teammate, "4711", nested, "99999999999999999999")
    key = provider.create(GROUPS, displayName="grafana-platform", members=given)
    assert in_group(provider, key) == [str(newcomer.pk)]


def test_who_leaves_a_group_loses_what_it_gave_at_once(
    provider: Provider,
    newcomer: User,
    make_token: Callable[..., Token],
    enqueued: list[tuple[str, str]],
) -> None:
    key = provider.create(GROUPS, displayName="grafana-leads", members=members(newcomer))
    session = SessionStore()
    session[SESSION_KEY] = str(newcomer.pk)
    session.create()
    sealed = make_token(newcomer, state=State.SEALED, sealed_key=b"x", aws_token_id="1")
    # What a sign-in said is older than this word.
    PersonGroup.objects.create(user=newcomer, group="grafana-leads")
    provider.patch(f"{GROUPS}/{key}", LEAVING["Entra"](str(newcomer.pk)))
    sealed.refresh_from_db()
    assert (sealed.state, sealed.sealed_key, roles(newcomer)) == ("revoking", None, {})
    assert ("portal.revoke", str(sealed.pk)) in enqueued
    assert sessions.of_people([newcomer.pk]) == {newcomer.pk: []}


def test_groups_of_a_sign_in_and_of_provisioning_add_up(provider: Provider, newcomer: User) -> None:
    provider.create(GROUPS, displayName="grafana-platform", members=members(newcomer))
    sync_groups(newcomer, {OBJECT_ID}, actor=acting(newcomer))
    assert roles(newcomer) == {"platform": "member", "mobile": "member"}
    sync_groups(newcomer, (), actor=acting(newcomer))
    assert roles(newcomer) == {"platform": "member"}, "a sign-in says nothing of its groups"


def test_what_the_file_says_of_somebody_stays(
    provider: Provider, engineer: User, lead: User
) -> None:
    key = provider.create(GROUPS, displayName="grafana-leads", members=members(engineer, lead))
    assert roles(engineer) == {"platform": "lead"}
    provider.send("DELETE", f"{GROUPS}/{key}")
    assert (roles(engineer), roles(lead)) == ({"platform": "member"}, {"platform": "lead"})


def test_a_file_applied_later_finds_them(provider: Provider, newcomer: User, admin: User) -> None:
    provider.create(GROUPS, displayName="tools", externalId="x-1", members=members(newcomer))
    text = """
version: 1
people: [{email: admin@example.com, admin: true}]
teams:
  platform: {idp_groups: [tools], grants: []}
  mobile: {lead_idp_groups: [x-1], grants: []}
"""
    apply_access(parse(text), actor=acting(admin))
    assert roles(newcomer) == {"platform": "member", "mobile": "lead"}


def test_an_address_that_was_deleted_leaves_its_groups(provider: Provider, newcomer: User) -> None:
    provider.create(GROUPS, displayName="grafana-platform", members=members(newcomer))
    provider.send("DELETE", f"{USERS}/{newcomer.pk}")
    assert (roles(newcomer), ScimGroupMember.objects.count()) == ({}, 0)


def test_a_group_is_found_by_its_name_without_its_people(
    provider: Provider, newcomer: User
) -> None:
    key = provider.create(GROUPS, displayName="Tools", members=members(newcomer))
    provider.create(GROUPS, displayName="others")
    [found] = provider.found('displayName eq "tools"', f"{GROUPS}?excludedAttributes=members")
    assert found["id"] == key
    [found] = provider.found(f'id eq "{key}" and members eq "{newcomer.pk}"', GROUPS)
    assert found["id"] == key
    assert provider.found(f'members[value eq "{newcomer.pk}"]', GROUPS)[0]["id"] == key
    assert provider.found(f'groups.value eq "{key}"')[0]["id"] == str(newcomer.pk)


def test_to_add_one_to_a_large_group_reads_none_of_the_others(
    provider: Provider, newcomer: User
) -> None:
    key = provider.create(GROUPS, displayName="all", members=members(newcomer))

    def cost(person: User) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            provider.patch(f"{GROUPS}/{key}", JOINING["Entra"](str(person.pk)))
        return len(asked)

    first = cost(User.objects.create_user("first@example.com"))
    many = User.objects.bulk_create(User(email=f"{one}@example.com") for one in range(300))
    ScimGroupMember.objects.bulk_create(
        ScimGroupMember(group_id=uuid.UUID(key), user=one) for one in many
    )
    assert cost(User.objects.create_user("last@example.com")) == first <= 20


def test_what_a_process_that_ended_left_undone_is_done_later(newcomer: User) -> None:
    group = ScimGroup.objects.create(display_name="grafana-platform", revision=2, followed=1)
    ScimGroupMember.objects.create(group=group, user=newcomer)
    left = User.objects.create_user("left@example.com")
    team = Team.objects.get(slug="platform")
    Membership.objects.create(user=left, team=team, named_role="nobody")
    follow_changed_groups()
    assert roles(newcomer) == {}, "whoever changed it may be at it"
    ScimGroup.objects.update(changed_at="2026-01-01T00:00:00Z")
    follow_changed_groups()
    assert (roles(newcomer), roles(left)) == ({"platform": "member"}, {})
    group.refresh_from_db()
    assert group.followed == 2


def test_a_member_is_not_changed_where_they_are(provider: Provider, newcomer: User) -> None:
    key = provider.create(GROUPS, displayName="all", members=members(newcomer))
    body = {
        "schemas": [PATCH],
        "Operations": [{"op": "replace", "path": 'members[value eq "1"]', "value": {"value": "2"}}],
    }
    assert provider.send("PATCH", f"{GROUPS}/{key}", body)[0] == 400
