"""Django's admin: for admins alone, and not even they touch what must stay as it is."""

import html
import re
from collections.abc import Callable

import pytest
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone

from portal import audit, policy
from portal.audit import SYSTEM
from portal.flows.confirm_grants import confirm_grants
from portal.models import (
    Action,
    AuditEvent,
    Connection,
    Grant,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
    Workspace,
)
from portal.models.flags import Flag
from portal.models.states import LIVE
from tests.conftest import Catalog, acting

pytestmark = pytest.mark.django_db

LOOK_ONLY = (Token, AuditEvent, Workspace, ServiceAccount, Grant)


def page(row: object, action: str = "change") -> str:
    model = type(row)
    return f"/admin/portal/{model.__name__.lower()}/{row.pk}/{action}/"  # type: ignore[attr-defined]  # any row's


@pytest.fixture
def desk(admin: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(admin)


@pytest.fixture
def event(db: None) -> AuditEvent:
    return audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)


def test_it_opens_to_admins_alone(
    admin: User,
    lead: User,
    auditor: User,
    engineer: User,
    sign_in: Callable[[User], Client],
) -> None:
    answers = {
        user: sign_in(user).get("/admin/", follow=True).status_code
        for user in (admin, lead, auditor, engineer)
    }
    assert answers.pop(admin) == 200
    assert set(answers.values()) == {403}


@pytest.mark.parametrize("model", LOOK_ONLY, ids=lambda model: model.__name__)
def test_what_is_to_look_at_can_be_looked_at_and_nothing_else(
    desk: Client,
    catalog: Catalog,
    event: AuditEvent,
    engineer: User,
    make_token: Callable[..., Token],
    model: type,
) -> None:
    make_token(engineer)
    row = model.objects.first()  # type: ignore[attr-defined]  # a model's
    before = model.objects.values().get(pk=row.pk)  # type: ignore[attr-defined]  # a model's
    name = model.__name__.lower()
    assert desk.get(f"/admin/portal/{name}/").status_code == 200
    assert desk.get(page(row)).status_code == 200
    assert desk.get(f"/admin/portal/{name}/add/").status_code == 403
    assert desk.post(page(row), {"name": "changed", "reason": "changed"}).status_code == 403
    assert desk.post(page(row, "delete"), {"post": "yes"}).status_code == 403
    actions = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}
    desk.post(f"/admin/portal/{name}/", actions)
    assert model.objects.values().get(pk=row.pk) == before  # type: ignore[attr-defined]  # a model's


def test_it_shows_no_sealed_key(
    desk: Client, engineer: User, make_token: Callable[..., Token]
) -> None:
    token = make_token(engineer, state=State.SEALED, sealed_key=b"ciphertext")
    html = desk.get(page(token)).content.decode()
    assert "ciphertext" not in html
    assert "sealed_key" not in html
    assert "public_key" not in html.replace("public_key_sha256", "")


def test_no_admin_can_take_over_another_person(desk: Client, engineer: User) -> None:
    before = User.objects.values().get(pk=engineer.pk)
    assert 'name="password' not in desk.get(page(engineer)).content.decode()
    change = {"email": "mine@example.com", "password": "x", "is_active": "on"}
    assert desk.post(page(engineer), change).status_code == 302
    assert User.objects.values().get(pk=engineer.pk) == before
    assert desk.get(page(engineer, "password")).status_code != 200
    assert desk.post(page(engineer, "delete"), {"post": "yes"}).status_code == 403
    address = {"user": str(engineer.pk), "email": "mine@example.com", "verified": "on"}
    assert desk.post("/admin/account/emailaddress/add/", address).status_code == 403


@pytest.mark.parametrize(
    "asked",
    [
        "user/?password__startswith=pbkdf2",
        "user/?password__regex=.",
        "user/?password=x",
        "token/?sealed_key__isnull=0",
        "token/?public_key__isnull=0",
        "token/?fingerprint__startswith=a",
        "token/?owner__password__startswith=pbkdf2",
        "team/?memberships__user__password__startswith=pbkdf2",
        "grant/?team__memberships__user__password__startswith=pbkdf2",
    ],
)
def test_no_list_tells_by_what_it_leaves_out_what_it_does_not_show(
    desk: Client, engineer: User, asked: str
) -> None:
    """Of a password's hash an admin could else ask one letter after the other, and guess at home.

    Django's admin answers what it does not let through with the list and a note, or with 400.
    """
    engineer.set_password("a password of ours")
    engineer.save()
    answer = desk.get(f"/admin/portal/{asked}")
    assert answer.status_code in (302, 400)
    assert answer.headers.get("Location", "?e=1").endswith("?e=1")


def test_signing_out_and_changing_the_password_is_done_at_the_front_door(desk: Client) -> None:
    """There the browser forgets its private keys, and attempts are limited."""
    for path, door in (("logout", "logout"), ("password_change", "password/change")):
        for answer in (desk.get(f"/admin/{path}/"), desk.post(f"/admin/{path}/")):
            assert (answer.status_code, answer.headers["Location"]) == (302, f"/accounts/{door}/")


def test_nothing_but_the_portals_own_is_in_it(desk: Client) -> None:
    html = desk.get("/admin/").content.decode()
    others = [model._meta for model in site._registry if model._meta.app_label != "portal"]
    assert others, "libraries do register theirs"
    for meta in others:
        listed = f"/admin/{meta.app_label}/{meta.model_name}/"
        assert listed not in html
        assert desk.get(listed).status_code == 403


# -- What an admin changes ------------------------------------------------------------------------


def team_form(team: Team, **changes: str) -> dict[str, str]:
    """What the team's page sends when nothing but ``changes`` is touched."""
    said = {
        "name": team.name,
        "idp_groups": "\n".join(team.idp_groups),
        "lead_idp_groups": "\n".join(team.lead_idp_groups),
        "on_leaving": team.on_leaving,
    }
    members, grants = team.memberships.order_by("pk"), team.grants.order_by("pk")
    for prefix, rows in (("memberships", members), ("grants", grants)):
        said |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": str(len(rows))}
        said[f"{prefix}-TOTAL_FORMS"] = said[f"{prefix}-INITIAL_FORMS"]
        for number, row in enumerate(rows):
            said[f"{prefix}-{number}-id"] = str(row.pk)
            said[f"{prefix}-{number}-team"] = str(team.pk)
    for number, membership in enumerate(members):
        said |= {
            f"memberships-{number}-user": str(membership.user_id),
            f"memberships-{number}-role": membership.role,
        }
    for number, grant in enumerate(grants):
        said |= {
            f"grants-{number}-workspace": str(grant.workspace_id or ""),
            f"grants-{number}-service_account": str(grant.service_account_id or ""),
            f"grants-{number}-max_ttl": str(grant.max_ttl),
            f"grants-{number}-default_ttl": str(grant.default_ttl),
            f"grants-{number}-max_overlap": str(grant.max_overlap),
            f"grants-{number}-approval": grant.approval,
        }
    return said | changes


def told() -> list[tuple[str, str, str, str | None]]:
    events = AuditEvent.objects.filter(action=Action.ACCESS_CHANGED)
    return list(events.values_list("subject", "actor", "team", "address"))


def test_an_admin_manages_grants_within_what_aws_allows(desk: Client, catalog: Catalog) -> None:
    grant = Grant.objects.get(team__slug="platform")
    team = grant.team
    theirs = str(catalog.mobile_account.pk)
    for name, wrong in (("max_ttl", "2592001"), ("max_ttl", "60"), ("service_account", theirs)):
        fields = team_form(team, **{f"grants-0-{name}": wrong})
        assert desk.post(page(team), fields).status_code == 200
    assert told() == []
    shorter = {"grants-0-max_ttl": "3600", "grants-0-default_ttl": "600"}
    assert desk.post(page(team), team_form(team, **shorter)).status_code == 302
    grant.refresh_from_db()
    assert grant.max_ttl == 3600
    line = "max_ttl 30d → 1h, default_ttl 7d → 10m"
    subject = f"~ grant of platform for observability / every account: {line}"
    assert told() == [(subject, "admin@example.com", "platform", "127.0.0.1")]


def test_a_page_that_is_saved_as_it_was_changes_nothing(
    desk: Client, catalog: Catalog, platform: Team, engineer: User, lead: User
) -> None:
    Team.objects.filter(pk=platform.pk).update(idp_groups=["a", "b"])
    platform.refresh_from_db()
    assert desk.post(page(platform), team_form(platform)).status_code == 302
    for row in (engineer, Connection.objects.get()):
        said = {"name": row.name, "is_active": "on"}
        assert desk.post(page(row), said).status_code == 302
    assert told() == []


@pytest.mark.usefixtures("enqueued")
@pytest.mark.django_db(transaction=True)
def test_who_is_taken_out_of_a_team_loses_at_once_what_was_not_delivered(
    desk: Client, platform: Team, engineer: User, make_token: Callable[..., Token]
) -> None:
    asked = make_token(engineer)
    live = make_token(engineer, state=State.ACTIVE)
    out = {"memberships-0-DELETE": "on"}
    look = desk.post(page(platform), team_form(platform, **out))
    asked.refresh_from_db()
    assert (look.status_code, asked.state, told()) == (200, State.QUEUED, []), "only a look"
    html = look.content.decode()
    assert "Nothing has been saved yet.</strong> 2 tokens or requests would be" in " ".join(
        html.split()
    )
    for token in (asked, live):
        assert token.name in html
    again = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', html))
    assert again.pop("_looked") == "1"
    assert desk.post(page(platform), again | {"_looked": "1"}).status_code == 302
    assert [line for line, *_ in told()] == ["- member engineer@example.com of platform"]
    asked.refresh_from_db()
    assert (asked.state, asked.ended_by) == (State.CANCELLED, "admin@example.com")
    assert list(Token.objects.filter(state__in=LIVE).filter(Flag.OWNER_LEFT.condition)) == [live]


@pytest.mark.usefixtures("enqueued")
@pytest.mark.django_db(transaction=True)
def test_who_may_not_sign_in_any_more_loses_at_once_what_was_not_delivered(
    desk: Client, engineer: User, make_token: Callable[..., Token]
) -> None:
    asked = make_token(engineer)
    assert asked.name in desk.post(page(engineer), {"name": ""}).content.decode()
    assert told() == []
    assert desk.get(page(engineer)).context["messages"]._loaded_messages == []
    assert desk.post(page(engineer), {"name": "", "_looked": "1"}).status_code == 302
    assert [line for line, *_ in told()] == [
        "~ person engineer@example.com: may not sign in any more"
    ]
    asked.refresh_from_db()
    assert asked.state == State.CANCELLED


def test_an_admin_makes_a_team_and_closes_it(desk: Client, engineer: User) -> None:
    empty = {
        f"{prefix}-{name}_FORMS": "0"
        for prefix in ("memberships", "grants")
        for name in ("TOTAL", "INITIAL")
    }
    person = {
        "memberships-TOTAL_FORMS": "1",
        "memberships-0-user": str(engineer.pk),
        "memberships-0-role": "lead",
    }
    made = {
        "slug": "data",
        "name": "Data",
        "on_leaving": "keep",
        "idp_groups": "b\n\n a \nb",
        **empty,
        **person,
    }
    assert desk.post("/admin/portal/team/add/", made).status_code == 302
    team = Team.objects.get(slug="data")
    assert team.idp_groups == ["b", "a"]
    closed = {"closed_at_0": "2026-12-01", "closed_at_1": "10:00:00", "slug": "other"}
    assert desk.post(page(team), team_form(team, **closed)).status_code == 302
    assert desk.post(page(team, "delete"), {"post": "yes"}).status_code == 403
    team.refresh_from_db()
    assert (team.slug, team.closed_at is None) == ("data", False)
    assert [line for line, *_ in told()] == [
        "+ team data",
        "+ lead engineer@example.com of data",
        "- team data: closed",
    ]


def test_a_person_is_added_by_their_address_alone(desk: Client) -> None:
    html = desk.get("/admin/portal/user/add/").content.decode()
    assert set(re.findall(r'<input type="\w+" name="(\w+)"', html)) <= {
        "csrfmiddlewaretoken",
        "email",
    } | set(re.findall(r'name="(_\w+)"', html))
    new = {"email": "New@Example.com", "is_admin": "on", "password": "x"}
    assert desk.post("/admin/portal/user/add/", new).status_code == 302
    person = User.objects.get(email="new@example.com")
    assert not person.has_usable_password()
    assert not person.is_admin
    assert [line for line, *_ in told()] == ["+ person new@example.com"]


def test_an_admin_makes_another_one_in_sight(desk: Client, engineer: User) -> None:
    said = {"name": "", "is_active": "on", "is_admin": "on"}
    assert desk.post(page(engineer), said).status_code == 302
    assert [line for line, *_ in told()] == ["~ person engineer@example.com: now admin"]


@pytest.mark.parametrize(
    ("field", "text", "why"),
    [
        ("role_arn", "default", "Must be the ARN of a role"),
        ("region", "eu-wset-1", "is eu-west-1 meant?"),
        ("external_id", "x", "Must be at least 2 characters"),
    ],
)
def test_a_way_into_aws_that_aws_would_not_take_is_a_mistake_beside_its_field(
    desk: Client, catalog: Catalog, field: str, text: str, why: str
) -> None:
    row = Connection.objects.get()
    answer = desk.post(page(row), {"name": row.name, field: text})
    assert answer.status_code == 200
    assert why in html.unescape(answer.content.decode())
    assert Connection.objects.get().client_settings == row.client_settings


def test_an_admin_changes_a_way_into_aws_in_sight(desk: Client, catalog: Catalog) -> None:
    row = Connection.objects.get()
    said = {"name": "other", "role_arn": "arn:aws:iam::2:role/x"}
    assert desk.post(page(row), said).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.role_arn) == ("main", "arn:aws:iam::2:role/x")
    assert [line for line, *_ in told()] == ["~ connection main: role_arn"]
    assert desk.post(page(row, "delete"), {"post": "yes"}).status_code == 403


def test_an_admin_confirms_a_suspended_grant(
    desk: Client, catalog: Catalog, platform: Team, engineer: User
) -> None:
    grant = Grant.objects.create(
        team=platform,
        workspace=catalog.workspace,
        service_account=catalog.deployer,
        suspended_at=timezone.now(),
        suspended_reason="The service account was renamed from ci to deployer.",
    )
    listed = desk.get("/admin/portal/grant/?suspended_at__isempty=0").content.decode()
    assert "renamed from ci to deployer" in listed
    action = {"action": "confirm", "_selected_action": str(grant.pk)}
    assert desk.post("/admin/portal/grant/", action).status_code == 302
    assert policy.limits_for(engineer, platform, catalog.deployer) is not None
    event = AuditEvent.objects.get(action=Action.ACCESS_CHANGED)
    assert event.subject == "~ grant of platform for observability / deployer: confirmed"
    assert event.reason == grant.suspended_reason


@pytest.mark.parametrize("who", ["lead", "auditor", "engineer"])
def test_nobody_else_confirms_a_grant(request: pytest.FixtureRequest, who: str) -> None:
    with pytest.raises(PermissionDenied):
        confirm_grants([1], actor=acting(request.getfixturevalue(who)))


@pytest.mark.parametrize("model", ["team", "user", "connection"])
def test_the_pages_say_that_the_access_file_wins(
    desk: Client, catalog: Catalog, model: str
) -> None:
    for action in ("", "add/"):
        html = desk.get(f"/admin/portal/{model}/{action}").content.decode()
        assert "The access file wins on what it names" in html


def test_lifetimes_are_written_and_read_as_people_write_them(
    desk: Client, platform: Team, catalog: Catalog
) -> None:
    grant = Grant.objects.get(team=platform)
    Grant.objects.update(max_ttl=5400, default_ttl=600)
    assert 'value="1h 30m"' in desk.get(page(platform)).content.decode()
    same = {"grants-0-max_ttl": "1h 30m", "grants-0-default_ttl": "10m"}
    assert desk.post(page(platform), team_form(platform, **same)).status_code == 302
    assert told() == [], "nothing was changed"
    other = {"grants-0-max_ttl": "8h", "grants-0-default_ttl": "600"}
    assert desk.post(page(platform), team_form(platform, **other)).status_code == 302
    grant.refresh_from_db()
    assert (grant.max_ttl, grant.default_ttl) == (28_800, 600)
    wrong = desk.post(page(platform), team_form(platform, **{"grants-0-max_ttl": "31d"}))
    assert "A lifetime is 1 second to 30 days." in wrong.content.decode()


def test_an_address_that_names_no_field_to_look_by_finds_nothing(
    desk: Client, engineer: User, event: AuditEvent
) -> None:
    desk.raise_request_exception = False
    pages = (page(engineer), page(event, "delete"), "/admin/socialaccount/socialaccount/0/change/")
    for path in pages:
        assert desk.get(path, {"_to_field": ""}).status_code == 404
        assert desk.post(path, {"_to_field": ""}).status_code == 404
