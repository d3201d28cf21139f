"""/access/: who may request what, and who has what. Who may open what stands in rights.py."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.models import (
    Grant,
    Membership,
    NamedRole,
    PersonGroup,
    Role,
    State,
    Team,
    Token,
    User,
)
from portal.views.access import index
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db
Page = Callable[..., str]


@pytest.fixture
def page_of(sign_in: Callable[[User], Client], catalog: Catalog) -> Callable[[User], Page]:
    def page_of(user: User) -> Page:
        client = sign_in(user)

        def page(**query: Any) -> str:
            answer = client.get("/access/", query)
            assert answer.status_code == 200
            return str(answer.content.decode())

        return page

    return page_of


def table(html: str, name: str) -> str:
    """The text of a table, cell by cell."""
    found = re.search(rf'data-testid="{name}".*?</table>', html, re.S)
    return " | ".join(re.sub(r"<[^>]+>", " ", found[0]).split()) if found else ""


@pytest.fixture
def live(make_token: Callable[..., Token], engineer: User, outsider: User) -> list[Token]:
    later = timezone.now() + timedelta(days=2)
    return [
        make_token(one, name=f"of-{one.email[:4]}", state=State.ACTIVE, expires_at=later)
        for one in (engineer, outsider)
    ]


def test_an_admin_sees_every_team_with_its_grants_people_and_tokens(
    page_of: Callable[[User], Page], admin: User, engineer: User, lead: User, live: list[Token]
) -> None:
    html = page_of(admin)()
    grants, people = table(html, "grants-table"), table(html, "people-table")
    for told in ("platform", "mobile", "observability", "g-00000000b2"):
        assert told in grants
    assert "1 | ADMIN, | 1 | EDITOR" in grants, "what a grant for every account reaches"
    for person in ("engineer@example.com", "lead@example.com", "outsider@example.com"):
        assert person in people.replace(" | <wbr> | ", "").replace("@ | ", "@")
    held = table(html, "held-table")
    assert "of-engi" in held
    assert "of-outs" in held
    assert "admin@ | example.com" in table(html, "rights-table")


def test_a_member_sees_their_own_and_a_lead_the_teams(
    page_of: Callable[[User], Page],
    engineer: User,
    teammate: User,
    lead: User,
    admin: User,
    live: list[Token],
) -> None:
    own, leads = page_of(teammate)(), page_of(lead)()
    assert "engineer@" not in table(own, "people-table")
    assert "teammate@" in table(own, "people-table")
    assert "observability" in table(own, "grants-table")
    assert table(own, "held-table") == ""
    assert "engineer@" in table(leads, "people-table")
    assert "of-engi" in table(leads, "held-table")
    for html in (own, leads):
        assert "of-outs" not in html
        assert "retail" not in html
        assert "admin@example.com" not in html
        assert 'href="/access/review/"' not in html


def test_why_somebody_belongs_to_a_team_names_the_group(
    page_of: Callable[[User], Page], admin: User, engineer: User, teammate: User, platform: Team
) -> None:
    Team.objects.filter(pk=platform.pk).update(
        idp_groups=["grafana-platform"], lead_idp_groups=["grafana-leads"]
    )
    of_engineer = Membership.objects.filter(user=engineer)
    PersonGroup.objects.create(user=engineer, group="grafana-platform")
    assert "access file or admin" in page_of(admin)(person=engineer.email)
    of_engineer.update(named_role=NamedRole.NOBODY)
    html = page_of(admin)(person=engineer.email)
    assert "group grafana-platform" in html
    assert "teammate@" not in table(html, "people-table")
    PersonGroup.objects.create(user=engineer, group="grafana-leads")
    of_engineer.update(role=Role.LEAD, named_role=NamedRole.MEMBER)
    html = page_of(admin)(person="ENGINEER@example.com")
    assert "access file or admin; lead by group grafana-leads" in html


def test_it_is_narrowed_by_team_and_workspace(
    page_of: Callable[[User], Page], admin: User, live: list[Token], catalog: Catalog
) -> None:
    page = page_of(admin)
    for query in ({"team": "mobile"}, {"workspace": "g-00000000b2"}):
        html = page(**query)
        assert "retail" in table(html, "grants-table")
        assert "platform" not in table(html, "grants-table")
        assert "outsider@" in table(html, "people-table")
        assert "engineer@" not in table(html, "people-table")
    assert "of-engi" not in table(page(team="mobile"), "held-table")
    page(team="\0", person="\0", workspace="\0")
    for odd in ("🙂", "g-ffffffffff", "x" * 300):
        assert "No grant fits" in page(workspace=odd)
        assert "No grant fits" in page(team=odd, person=odd)


def test_a_grant_for_every_workspace_is_for_this_one_too(
    page_of: Callable[[User], Page], admin: User, mobile: Team
) -> None:
    Grant.objects.filter(team=mobile).delete()
    Grant.objects.create(team=mobile, workspace=None)
    html = page_of(admin)(workspace="g-00000000a1")
    assert "every | workspace" in table(html, "grants-table")
    assert "mobile" in table(html, "grants-table")


def test_what_nobody_has_asked_for_in_90_days_stands_out(
    page_of: Callable[[User], Page],
    admin: User,
    engineer: User,
    teammate: User,
    make_token: Callable[..., Token],
    catalog: Catalog,
    platform: Team,
) -> None:
    own = Grant.objects.create(
        team=platform, workspace=catalog.workspace, service_account=catalog.admin_account
    )
    token = make_token(engineer, state=State.REVOKED)
    page = page_of(admin)
    html = page(team="platform", unused="1")
    assert "provisioner" in table(html, "grants-table"), "its own grant was not used"
    assert "every | account" not in table(html, "grants-table")
    assert "teammate@" in table(html, "people-table")
    assert "engineer@" not in table(html, "people-table")
    Token.objects.filter(pk=token.pk).update(service_account=catalog.admin_account)
    assert "provisioner" not in table(page(team="platform", unused="1"), "grants-table")
    Token.objects.filter(pk=token.pk).update(created_at=timezone.now() - timedelta(days=91))
    html = page(team="platform", unused="1")
    assert "provisioner" in table(html, "grants-table")
    assert "engineer@" in table(html, "people-table")
    Grant.objects.filter(pk=own.pk).update(suspended_at=timezone.now(), suspended_reason="raised")
    assert "suspended" in table(page(team="platform"), "grants-table")


def test_more_teams_take_no_more_questions(
    page_of: Callable[[User], Page], admin: User, engineer: User
) -> None:
    page = page_of(admin)
    page()
    with CaptureQueriesContext(connection) as few:
        page()
    teams = Team.objects.bulk_create(Team(slug=f"t-{n}", name=f"t-{n}") for n in range(120))
    people = User.objects.bulk_create(User(email=f"p{n}@example.com") for n in range(120))
    Membership.objects.bulk_create(
        Membership(user=user, team=team) for user, team in zip(people, teams, strict=True)
    )
    Grant.objects.bulk_create(Grant(team=team) for team in teams)
    with CaptureQueriesContext(connection) as many:
        html = page()
    assert len(many) <= len(few)
    assert html.count(">every account<") == 50, "a page, not all"
    further = re.findall(r'href="\?((?:people|grants)=after-0-\d+)"', html)
    assert len(further) == 2
    for address in further:
        name, place = address.split("=")
        assert 'rel="prev"' in page(**{name: place})


def test_live_tokens_go_on_over_pages_those_that_end_first_first(
    page_of: Callable[[User], Page],
    admin: User,
    engineer: User,
    make_token: Callable[..., Token],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index, "PER_PAGE", 2)
    now = timezone.now()
    for number in (3, 1, 2):
        ends = now + timedelta(days=number)
        make_token(engineer, name=f"day-{number}", state=State.ACTIVE, expires_at=ends)
    make_token(engineer, name="day-unknown", state=State.REVOKING)
    page = page_of(admin)
    first = page()
    assert re.findall(r"day-\w+", table(first, "held-table")) == ["day-1", "day-2"]
    [further] = re.findall(r'rel="next" href="\?page=([\w-]+)"', first)
    second = page(page=further)
    assert re.findall(r"day-\w+", table(second, "held-table")) == ["day-3", "day-unknown"]
    [back] = re.findall(r'rel="prev" href="\?page=([\w-]+)"', second)
    assert "day-1" in table(page(page=back), "held-table")
