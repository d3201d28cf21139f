"""Lists that grow with the company stand on a page as far as they fit; the rest is typed for."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.models import Membership, State, Team, Token, User
from tests import big_catalog

pytestmark = pytest.mark.django_db

SignIn = Callable[[User], Client]


@pytest.fixture
def large_team(platform: Team) -> None:
    """Three hundred people more."""
    people = User.objects.bulk_create(
        User(email=f"p{n:03}@example.com", name=f"Person {n}") for n in range(300)
    )
    Membership.objects.bulk_create(Membership(user=one, team=platform) for one in people)


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(engineer, state=State.ACTIVE)


# -- Handing over -------------------------------------------------------------------------------


def test_a_small_team_is_offered_whole(
    token: Token, engineer: User, teammate: User, sign_in: SignIn
) -> None:
    html = sign_in(engineer).get(f"/tokens/{token.pk}/").content.decode()
    assert "<option>teammate@example.com</option>" in html
    assert "data-options-url" not in html


@pytest.mark.usefixtures("large_team")
def test_of_a_large_team_a_hundred_are_offered_and_the_others_found(
    token: Token, engineer: User, sign_in: SignIn
) -> None:
    client = sign_in(engineer)
    html = client.get(f"/tokens/{token.pk}/").content.decode()
    assert html.count("<option>p") == 100
    assert f'data-options-url="/tokens/{token.pk}/possible-owners/"' in html
    for text, count, is_cut in (("P29", 10, False), ("person 1", 100, True), ("nobody", 0, False)):
        told = client.get(f"/tokens/{token.pk}/possible-owners/", {"q": text}).json()
        assert (len(told["options"]), told["is_cut"]) == (count, is_cut)


@pytest.mark.usefixtures("large_team")
def test_who_was_found_is_asked(token: Token, engineer: User, sign_in: SignIn) -> None:
    client = sign_in(engineer)
    answer = client.post(
        f"/tokens/{token.pk}/hand-over/", {"person": "p299@example.com", "keys": "keep"}
    )
    assert answer.status_code == 302
    assert token.handovers.get().heir.email == "p299@example.com"


@pytest.mark.usefixtures("large_team")
def test_who_was_typed_and_refused_still_stands_there(
    token: Token, engineer: User, sign_in: SignIn
) -> None:
    client = sign_in(engineer)
    answer = client.post(f"/tokens/{token.pk}/hand-over/", {"person": "stranger@example.com"})
    assert answer.status_code == 422
    assert "<option selected>stranger@example.com</option>" in answer.content.decode()


# -- The audit log ------------------------------------------------------------------------------


def test_the_audit_logs_filters_do_not_grow_with_teams_and_workspaces(
    auditor: User, sign_in: SignIn
) -> None:
    client = sign_in(auditor)
    with CaptureQueriesContext(connection) as few:
        small = client.get("/audit/").content.decode()
    assert "data-options-url" not in small
    big_catalog.make(500, 0)
    Team.objects.bulk_create(Team(slug=f"t-{n:03}", name=f"Team {n}") for n in range(200))
    with CaptureQueriesContext(connection) as many:
        html = client.get("/audit/?workspace=g-a0000001f3&team=gone").content.decode()
    assert len(many) == len(few)
    assert html.count('<option value="t-') == html.count('<option value="g-') - 1 == 100
    assert 'data-options-url="/audit/teams/"' in html
    assert 'data-options-url="/audit/workspaces/"' in html
    assert '<option value="g-a0000001f3" selected>' in html, "what is asked for is shown"
    assert '<option value="gone" selected>' in html


def test_teams_and_workspaces_are_found_by_what_is_typed(
    auditor: User, sign_in: SignIn, platform: Team
) -> None:
    client = sign_in(auditor)
    big_catalog.make(30, 0)
    for path, text, values in (
        ("/audit/teams/", "LAT", ["platform"]),
        ("/audit/teams/", "\0", ["platform"]),
        ("/audit/workspaces/", "00007", ["g-a000000007"]),
        ("/audit/workspaces/", "g-a00000001d", ["g-a00000001d"]),
        ("/audit/workspaces/", "%", []),
    ):
        told = client.get(path, {"q": text}).json()
        assert [one["value"] for one in told["options"]] == values, (path, text)
