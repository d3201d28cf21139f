"""Django's admin: for admins alone, and not even they touch what must stay as it is."""

from collections.abc import Callable

import pytest
from django.contrib.admin import site
from django.test import Client

from portal import audit
from portal.audit import SYSTEM
from portal.models import (
    Action,
    AuditEvent,
    Connection,
    Grant,
    ServiceAccount,
    State,
    Token,
    User,
    Workspace,
)
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

LOOK_ONLY = (Token, AuditEvent, Connection, Workspace, ServiceAccount)


def page(row: object, action: str = "change") -> str:
    model = type(row)
    return f"/admin/portal/{model.__name__.lower()}/{row.pk}/{action}/"  # type: ignore[attr-defined]  # any row's


@pytest.fixture
def desk(admin: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(admin)


@pytest.fixture
def event(db: None) -> AuditEvent:
    return audit.record(Action.CATALOG_SYNCED, actor=SYSTEM)


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


def test_nothing_but_the_portals_own_is_in_it(desk: Client) -> None:
    html = desk.get("/admin/").content.decode()
    others = [model._meta for model in site._registry if model._meta.app_label != "portal"]
    assert others, "libraries do register theirs"
    for meta in others:
        listed = f"/admin/{meta.app_label}/{meta.model_name}/"
        assert listed not in html
        assert desk.get(listed).status_code == 403


def test_an_admin_manages_grants_within_what_aws_allows(desk: Client, catalog: Catalog) -> None:
    grant = Grant.objects.get(team__slug="platform")
    team = grant.team
    inline = {
        "slug": team.slug,
        "name": team.name,
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
        "grants-TOTAL_FORMS": "1",
        "grants-INITIAL_FORMS": "1",
        "grants-0-id": str(grant.pk),
        "grants-0-team": str(team.pk),
        "grants-0-workspace": str(grant.workspace_id),
        "grants-0-default_ttl": "600",
        "grants-0-approval": "never",
    }
    too_long = desk.post(page(team), {**inline, "grants-0-max_ttl": "2592001"})
    assert too_long.status_code == 200
    grant.refresh_from_db()
    assert grant.max_ttl == 2_592_000
    assert desk.post(page(team), {**inline, "grants-0-max_ttl": "3600"}).status_code == 302
    grant.refresh_from_db()
    assert grant.max_ttl == 3600
