"""Groups of single sign-on are access: what they give comes and goes with them, and at once."""

from collections.abc import Callable

import pytest
from django.contrib.auth import SESSION_KEY

from portal import sessions
from portal.access import parse
from portal.flows.apply_access import apply_access
from portal.flows.sync_groups import sync_groups
from portal.models import (
    AuditEvent,
    GroupRight,
    Membership,
    PersonGroup,
    Right,
    Role,
    State,
    Team,
    Token,
    User,
)
from portal.sessions import SessionStore
from tests.conftest import acting

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mapping(platform: Team, mobile: Team) -> None:
    Team.objects.filter(pk=platform.pk).update(
        idp_groups=["grafana-platform"], lead_idp_groups=["grafana-leads"]
    )
    Team.objects.filter(pk=mobile.pk).update(idp_groups=["grafana-mobile", "0a1b-object-id"])
    GroupRight.objects.create(group="portal-admins", right=Right.ADMIN)
    GroupRight.objects.create(group="security", right=Right.AUDITOR)


@pytest.fixture
def newcomer(db: None) -> User:
    return User.objects.create_user("newcomer@example.com", is_named=False)


def roles(user: User) -> dict[str, str]:
    return dict(user.memberships.order_by("team__slug").values_list("team__slug", "role"))


def rights(user: User) -> tuple[bool, bool]:
    user.refresh_from_db()
    return user.is_admin, user.is_auditor


def told() -> list[tuple[str, str, str]]:
    events = AuditEvent.objects.filter(action="access.changed").order_by("seq")
    return list(events.values_list("actor", "subject", "reason"))


def test_groups_make_members_leads_admins_and_auditors(newcomer: User) -> None:
    sync_groups(
        newcomer, {"grafana-leads", "0a1b-object-id", "portal-admins"}, actor=acting(newcomer)
    )
    assert roles(newcomer) == {"platform": "lead", "mobile": "member"}
    assert rights(newcomer) == (True, False)
    who, why = "newcomer@example.com", "groups of single sign-on"
    assert told() == [
        (who, "~ person newcomer@example.com: now admin", why),
        (who, "+ member newcomer@example.com of mobile", why),
        (who, "+ lead newcomer@example.com of platform", why),
    ]


def test_what_groups_gave_goes_with_them(newcomer: User) -> None:
    sync_groups(newcomer, {"grafana-leads", "security"}, actor=acting(newcomer))
    sync_groups(newcomer, {"grafana-platform"}, actor=acting(newcomer))
    assert (roles(newcomer), rights(newcomer)) == ({"platform": "member"}, (False, False))
    sync_groups(newcomer, (), actor=acting(newcomer))
    assert roles(newcomer) == {}
    assert not PersonGroup.objects.exists()


def test_what_somebody_was_named_stays(engineer: User, lead: User, admin: User) -> None:
    for person in (engineer, lead, admin):
        sync_groups(person, {"grafana-leads", "portal-admins", "security"}, actor=acting(person))
        sync_groups(person, (), actor=acting(person))
    assert (roles(engineer), rights(engineer)) == ({"platform": "member"}, (False, False))
    assert (roles(lead), rights(lead)) == ({"platform": "lead"}, (False, False))
    assert rights(admin) == (True, False)


def test_the_same_groups_again_change_nothing_and_say_nothing(newcomer: User) -> None:
    groups = [f"group-{number}" for number in range(5000)] + ["grafana-platform"]
    sync_groups(newcomer, groups, actor=acting(newcomer))
    before = told()
    effects = sync_groups(newcomer, groups[::-1], actor=acting(newcomer))
    assert (told(), bool(effects)) == (before, False)
    kept = PersonGroup.objects.values_list("group", flat=True)
    assert list(kept) == ["grafana-platform"], "other groups are none of the portal's business"


def test_a_closed_team_takes_nobody(newcomer: User, mobile: Team) -> None:
    Team.objects.filter(pk=mobile.pk).update(closed_at="2026-01-01T00:00:00Z")
    sync_groups(newcomer, {"grafana-mobile"}, actor=acting(newcomer))
    assert roles(newcomer) == {}


def test_what_is_lost_ends_at_once(
    newcomer: User,
    make_token: Callable[..., Token],
    enqueued: list[tuple[str, str]],
) -> None:
    sync_groups(newcomer, {"grafana-platform"}, actor=acting(newcomer))
    waiting = make_token(newcomer, state=State.AWAITING_APPROVAL)
    sealed = make_token(newcomer, state=State.SEALED, sealed_key=b"x", aws_token_id="1")
    live = make_token(newcomer, state=State.ACTIVE, aws_token_id="2")
    effects = sync_groups(newcomer, (), actor=acting(newcomer))
    for token in (waiting, sealed, live):
        token.refresh_from_db()
    assert (waiting.state, sealed.state, live.state) == ("cancelled", "revoking", "active")
    assert sealed.sealed_key is None
    assert effects.revoke == [sealed.pk]
    assert set(effects.changed) == {waiting.pk, sealed.pk}


def session_of(person: User) -> None:
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session.create()


def test_sessions_of_who_loses_a_lead_s_rights_end_at_once(newcomer: User, teammate: User) -> None:
    sync_groups(newcomer, {"grafana-leads"}, actor=acting(newcomer))
    session_of(newcomer)
    session_of(teammate)
    sync_groups(newcomer, {"grafana-platform"}, actor=acting(newcomer))
    left = sessions.of_people([newcomer.pk, teammate.pk])
    assert {person: len(keys) for person, keys in left.items()} == {newcomer.pk: 0, teammate.pk: 1}


FILE = """
version: 1
people: [{email: admin@example.com, admin: true}]
admin_idp_groups: [%s]
teams:
  platform: {members: [%s], idp_groups: [%s], lead_idp_groups: [grafana-leads], grants: []}
  mobile: {grants: []}
"""


def apply(admins: str = "", members: str = "", groups: str = "grafana-platform") -> list[str]:
    file = parse(FILE % (admins, members, groups))
    return apply_access(file, actor=acting(User.objects.get(email="admin@example.com"))).lines


def test_a_file_keeps_those_whom_groups_brought(newcomer: User, admin: User) -> None:
    sync_groups(newcomer, {"grafana-platform", "portal-admins"}, actor=acting(newcomer))
    lines = apply(admins="portal-admins")
    assert [line for line in lines if "newcomer" in line] == []
    assert (roles(newcomer), rights(newcomer)) == ({"platform": "member"}, (True, False))


def test_a_mapping_that_leaves_the_file_takes_what_it_gave_at_once(
    newcomer: User, admin: User
) -> None:
    sync_groups(newcomer, {"grafana-platform", "portal-admins"}, actor=acting(newcomer))
    lines = apply(groups="")
    assert "- member newcomer@example.com of platform" in lines
    assert "~ person newcomer@example.com: now neither admin nor auditor" in lines
    assert (roles(newcomer), rights(newcomer)) == ({}, (False, False))
    apply(admins="portal-admins")
    assert rights(newcomer) == (False, False), "a group that was mapped to nothing is forgotten"


def test_whom_the_file_names_too_is_kept_when_the_groups_go(newcomer: User, admin: User) -> None:
    sync_groups(newcomer, {"grafana-leads"}, actor=acting(newcomer))
    apply(members="newcomer@example.com")
    assert roles(newcomer) == {"platform": "lead"}
    newcomer.refresh_from_db()
    assert newcomer.is_named
    sync_groups(newcomer, (), actor=acting(newcomer))
    assert roles(newcomer) == {"platform": "member"}


def test_a_row_of_the_version_before_counts_as_named(engineer: User, platform: Team) -> None:
    row = Membership.objects.get(user=engineer)
    assert row.named == Role.MEMBER
    Membership.objects.filter(pk=row.pk).update(role=Role.LEAD)
    assert Membership.objects.get(pk=row.pk).named == Role.LEAD
