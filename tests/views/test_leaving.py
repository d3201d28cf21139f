"""Before tokens end, or get another owner, a lead sees what uses them; who left is one line."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import AuditEvent, Grant, Membership, Role, State, Token, User
from tests.reading import words
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db

DESK, LEAVING = "/team/platform/", "/team/platform/hand-over/"


@pytest.fixture
def active(make_token: Callable[..., Token]) -> Callable[..., Token]:
    def make(owner: User, name: str, **fields: object) -> Token:
        values = {"state": State.ACTIVE, "expires_at": timezone.now() + timedelta(days=3)}
        return make_token(owner, name=name, **(values | fields))

    return make


@pytest.fixture
def as_lead(lead: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(lead)


def leave(person: User) -> None:
    Membership.objects.filter(user=person).delete()


# -- Before an end --------------------------------------------------------------------------------


def test_the_preview_says_what_is_in_use_and_what_for_with_that_on_top(
    active: Callable[..., Token], engineer: User, as_lead: Client, post: Post
) -> None:
    now = timezone.now()
    quiet = active(engineer, "quiet")
    old = active(engineer, "old", last_used_at=now - timedelta(days=9))
    busy = active(
        engineer, "busy", last_used_at=now - timedelta(minutes=3), reason="nightly backup"
    )
    chosen = [str(one.pk) for one in (quiet, old, busy)]
    answer = post(as_lead, "/team/platform/revoke/", token=chosen, preview="1")
    assert answer.context["ending"] == [busy, old, quiet]
    page = answer.content.decode()
    assert "nightly backup" in page
    assert "1 of them was used within the last day." in words(page)
    assert page.index("Last used</th>") < page.index("What uses it</th>") < page.index("Ends</th>")
    assert busy.expires_at is not None
    assert busy.expires_at.isoformat(timespec="seconds") in page


# -- Who left -------------------------------------------------------------------------------------


def test_who_left_is_one_line_and_acts_stand_there_only_for_who_may_do_them(
    active: Callable[..., Token],
    engineer: User,
    teammate: User,
    lead: User,
    as_lead: Client,
    sign_in: Callable[[User], Client],
) -> None:
    stays = User.objects.create_user("stays@example.com")
    Membership.objects.create(user=stays, team=engineer.teams.get())
    for person in (engineer, teammate):
        for n in range(2):
            active(person, f"{person.pk}-{n}")
    leave(engineer)
    leave(teammate)
    page = as_lead.get(DESK).content.decode()
    assert "2 people left the team</strong>, 4 tokens of theirs have not ended" in words(page)
    assert "button-danger" not in page.partition('id="left"')[2].partition("</details>")[0]
    assert "left the team" not in sign_in(stays).get(DESK).content.decode()
    assert sign_in(stays).get(f"{LEAVING}?person={engineer.email}").status_code == 403


@pytest.mark.parametrize("wish", ["keep", "replace"])
def test_all_of_who_left_get_another_owner_with_new_keys_if_wanted(
    active: Callable[..., Token],
    engineer: User,
    teammate: User,
    as_lead: Client,
    post: Post,
    wish: str,
) -> None:
    mine = active(teammate, "taken-by-them", recipient=engineer)
    theirs = [active(engineer, name, reason="nightly backup") for name in ("a", "b")]
    leave(engineer)
    page = as_lead.get(LEAVING, {"person": engineer.email}).content.decode()
    for said in ("taken-by-them", "nightly backup", "still knows the keys"):
        assert said in page
    form = {"person": engineer.email, "heir": teammate.email, "keys": wish, "reason": "moved on"}
    answer = post(as_lead, LEAVING, **form)
    assert (answer.status_code, answer.headers["Location"]) == (302, DESK)
    for token in (mine, *theirs):
        token.refresh_from_db()
        assert (token.owner, token.state) == (teammate, State.ACTIVE)
    new = Token.objects.filter(replaces__isnull=False)
    assert new.count() == (3 if wish == "replace" else 0)
    for token in new:
        assert (token.owner, token.state) == (teammate, State.AWAITING_RECIPIENT)
        assert token.overlap_seconds == 7 * 86_400
    assert AuditEvent.objects.filter(action="access.changed").count() == 2


def test_what_cannot_be_handed_over_is_named_with_why(
    active: Callable[..., Token], engineer: User, teammate: User, as_lead: Client, post: Post
) -> None:
    Grant.objects.update(max_live_per_person=1)
    for name in ("a", "b"):
        active(engineer, name)
    leave(engineer)
    form = {"person": engineer.email, "heir": teammate.email, "keys": "keep"}
    page = as_lead.get(post(as_lead, LEAVING, **form).headers["Location"]).content.decode()
    assert "1 handed over." in page
    assert "Not done: b: teammate@example.com has as many live tokens" in page


def test_a_mistake_stands_beside_its_field_and_changes_nothing(
    active: Callable[..., Token], engineer: User, as_lead: Client, post: Post
) -> None:
    token = active(engineer, "a")
    leave(engineer)
    answer = post(as_lead, LEAVING, person=engineer.email, keys="keep", reason="moved on")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Choose who is to own the tokens." in page
    assert 'value="moved on"' in page
    token.refresh_from_db()
    assert token.owner == engineer


def test_a_sign_in_in_between_leads_back_to_whose_tokens_they_are(
    active: Callable[..., Token], engineer: User, as_lead: Client
) -> None:
    active(engineer, "a")
    leave(engineer)
    page = as_lead.get(LEAVING, {"person": engineer.email}).content.decode()
    address = f"{LEAVING}?person=engineer%40example.com"
    assert f'action="{address}"' in page
    way = Client().post(address, {"heir": "x"}).headers["Location"]
    assert parse_qs(urlsplit(way).query)["next"] == [address]
    assert as_lead.get(address).status_code == 200


def test_nobody_who_is_in_the_team_has_left(
    active: Callable[..., Token], engineer: User, as_lead: Client
) -> None:
    active(engineer, "a")
    assert as_lead.get(LEAVING, {"person": engineer.email}).status_code == 404
    Membership.objects.filter(user=engineer).update(role=Role.LEAD)
    assert as_lead.get(LEAVING).status_code == 404
