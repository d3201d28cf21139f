"""The calendar of a team's ends: its link opens it without a session, and nothing else."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import policy
from portal.logs import LINK_SHAPE
from portal.models import Action, AuditEvent, State, Team, Token, User
from tests.conftest import Catalog
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db
END = datetime(2099, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User, lead: User) -> Token:
    return make_token(
        engineer, name="ci, nightly", state=State.ACTIVE, expires_at=END, fingerprint="f" * 64
    )


def link(client: Client) -> str:
    html = client.get("/team/platform/").content.decode()
    [found] = re.findall(
        r'value="http://testserver(/team/platform/ends.ics\?key=[\w-]+)"', html
    ) or (re.findall(r'value="https?://[^/"]+(/team/platform/ends.ics\?key=[\w-]+)"', html))
    return str(found)


def test_the_teams_page_links_it_and_it_opens_without_a_session(
    token: Token, engineer: User, sign_in: Callable[[User], Client]
) -> None:
    address = link(sign_in(engineer))
    answer = Client().get(address)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    text = answer.content.decode().replace("\r\n ", "")
    assert "SUMMARY:Token ends: ci\\, nightly" in text
    assert "DTSTART:20990304T050607Z" in text
    assert f"/tokens/{token.pk}/" in text
    assert "f" * 64 not in text
    assert "glsa_" not in text


def test_what_has_ended_or_was_never_made_is_not_in_it(
    token: Token,
    engineer: User,
    make_token: Callable[..., Token],
    sign_in: Callable[[User], Client],
) -> None:
    make_token(engineer, name="over", state=State.REVOKED, expires_at=END)
    make_token(engineer, name="waits", state=State.QUEUED)
    early = timezone.now() + timedelta(days=1)
    Token.objects.filter(pk=token.pk).update(revoke_at=early)
    text = Client().get(link(sign_in(engineer))).content.decode()
    assert text.count("BEGIN:VEVENT") == 1
    assert f"DTSTART:{early:%Y%m%dT%H%M%S}Z" in text, "the end of the overlap"


@pytest.mark.parametrize("key", ["", "x", "é", "\0", "a" * 43, "A" * 5000])
def test_a_wrong_key_opens_nothing(token: Token, key: str) -> None:
    assert Client().get("/team/platform/ends.ics", {"key": key}).status_code == 404
    assert Client().get("/team/nobody/ends.ics", {"key": key}).status_code == 404


def test_one_teams_key_opens_no_other_and_no_page(
    token: Token, platform: Team, mobile: Team, catalog: Catalog
) -> None:
    key = policy.calendar_key(platform)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", key)
    assert Client().get("/team/mobile/ends.ics", {"key": key}).status_code == 404
    assert Client().get("/team/platform/", {"key": key}).status_code == 302
    Team.objects.filter(pk=platform.pk).update(closed_at=timezone.now())
    assert Client().get("/team/platform/ends.ics", {"key": key}).status_code == 404


def test_a_new_link_closes_the_old_one_and_is_an_event(
    token: Token,
    engineer: User,
    lead: User,
    sign_in: Callable[[User], Client],
    post: Post,
) -> None:
    old = link(sign_in(engineer))
    assert post(sign_in(engineer), "/team/platform/calendar/").status_code == 403
    assert Client().get(old).status_code == 200
    answer = post(sign_in(lead), "/team/platform/calendar/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/team/platform/")
    assert Client().get(old).status_code == 404
    new = link(sign_in(engineer))
    assert Client().get(new).status_code == 200
    event = AuditEvent.objects.get(action=Action.SETTINGS_CHANGED)
    assert (event.actor, event.team) == ("lead@example.com", "platform")
    assert new.partition("key=")[2] not in event.text


def test_a_secret_key_that_was_replaced_still_opens_it(
    token: Token, platform: Team, settings: object
) -> None:
    key = policy.calendar_key(platform)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]  # type: ignore[attr-defined]
    settings.SECRET_KEY = "another secret that nobody knows"  # type: ignore[attr-defined]
    assert Client().get("/team/platform/ends.ics", {"key": key}).status_code == 200


def test_the_link_stands_in_no_log() -> None:
    line = "request='GET /team/platform/ends.ics?key=secret' code=200"
    assert LINK_SHAPE.sub(r"\1(hidden)", line) == (
        "request='GET /team/platform/ends.ics?(hidden)' code=200"
    )
