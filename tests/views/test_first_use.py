"""It landed: the page of a key that was just taken has AWS asked, and says since when it works."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.flows.take_inventory import _note_last_use
from portal.grafana.types import TokenSummary
from portal.models import ServiceAccount, State, Token, User
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lists_are_read(settings: Settings) -> None:
    settings.INVENTORY_SECONDS = 900


@pytest.fixture
def taken(make_token: Callable[..., Token], engineer: User) -> Token:
    now = timezone.now()
    return make_token(
        engineer,
        name="ci-2",
        state=State.ACTIVE,
        issued_at=now,
        delivered_at=now,
        expires_at=now + timedelta(days=3),
        aws_token_id="17",
    )


@pytest.fixture
def owner(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


def url(token: Token, action: str = "") -> str:
    return f"/tokens/{token.pk}/{action}"


def is_used(token: Token, ago: timedelta) -> None:
    used = TokenSummary(
        id=token.aws_token_id,
        name=token.name,
        created_at=token.issued_at,
        expires_at=token.expires_at,
        last_used_at=timezone.now() - ago,
    )
    _note_last_use(token.service_account, [used])
    token.refresh_from_db()


def lists(enqueued: list[tuple[str, str]]) -> int:
    return sum("inventory" in name for name, _ in enqueued)


def test_a_page_that_waits_has_the_list_read_once_a_minute_whoever_asks(
    taken: Token, owner: Client, post: Post, enqueued: list[tuple[str, str]]
) -> None:
    assert "Waiting for its first use" in owner.get(url(taken)).content.decode()
    assert post(owner, url(taken, "first-use/")).json() == {"waits": True}
    post(owner, url(taken, "first-use/"))
    assert lists(enqueued) == 1
    long_ago = timezone.now() - timedelta(seconds=70)
    ServiceAccount.objects.update(list_asked_at=long_ago)
    post(owner, url(taken, "first-use/"))
    assert lists(enqueued) == 2


@pytest.mark.parametrize("changed", ["used", "old", "over", "off"])
def test_nothing_is_read_where_nothing_is_waited_for(
    taken: Token,
    owner: Client,
    post: Post,
    enqueued: list[tuple[str, str]],
    settings: Settings,
    changed: str,
) -> None:
    now = timezone.now()
    match changed:
        case "used":
            taken.change(last_used_at=now)
        case "old":
            taken.change(delivered_at=now - timedelta(hours=2))
        case "over":
            Token.objects.filter(pk=taken.pk).update(state=State.EXPIRED)
        case "off":
            settings.INVENTORY_SECONDS = 0
    assert post(owner, url(taken, "first-use/")).json() == {"waits": False}
    assert lists(enqueued) == 0
    assert "Waiting for its first use" not in owner.get(url(taken)).content.decode()


def test_the_first_use_that_aws_told_of_stays_when_later_ones_come(
    taken: Token, owner: Client
) -> None:
    is_used(taken, timedelta(minutes=5))
    first = taken.first_used_at
    assert first is not None
    assert "✓ In use</strong> since" in owner.get(url(taken)).content.decode()
    is_used(taken, timedelta(minutes=1))
    assert taken.first_used_at == first
    assert taken.last_used_at is not None
    assert taken.last_used_at > first
    assert "last seen" in owner.get(url(taken)).content.decode()


def test_what_an_older_version_noted_has_no_beginning(taken: Token, owner: Client) -> None:
    taken.change(last_used_at=timezone.now())
    page = owner.get(url(taken)).content.decode()
    assert "✓ In use</strong>, last seen" in page


def test_once_the_new_key_is_in_use_one_press_ends_the_old_one_with_notice(
    taken: Token,
    make_token: Callable[..., Token],
    engineer: User,
    owner: Client,
    lead: User,
    post: Post,
) -> None:
    now = timezone.now()
    old = make_token(
        engineer,
        name="ci",
        state=State.ACTIVE,
        revoke_at=now + timedelta(days=1),
        expires_at=now + timedelta(days=9),
    )
    taken.change(replaces=old)
    assert "End the old one?" not in owner.get(url(taken)).content.decode()
    is_used(taken, timedelta(minutes=1))
    page = owner.get(url(taken)).content.decode()
    assert "End the old one?" in page
    assert f'action="{url(old, "notice/")}"' in page
    assert "End ci in 30 minutes" in page
    answer = post(owner, url(old, "notice/"), notice="30m", reason="ci-2 is in use in its place.")
    assert answer.status_code == 302
    old.refresh_from_db()
    assert old.is_under_notice
    page = owner.get(url(taken)).content.decode()
    assert "is to end" in page
    assert "End ci in 30 minutes" not in page


def test_the_old_one_is_not_ended_by_who_may_not_or_where_it_ends_soon_anyway(
    taken: Token, make_token: Callable[..., Token], teammate: User, owner: Client, engineer: User
) -> None:
    now = timezone.now()
    others = make_token(teammate, state=State.ACTIVE, revoke_at=now + timedelta(days=1))
    soon = make_token(engineer, state=State.ACTIVE, revoke_at=now + timedelta(minutes=40))
    is_used(taken, timedelta(minutes=1))
    for old in (others, soon):
        taken.change(replaces=old)
        page = owner.get(url(taken)).content.decode()
        assert "works until" in page
        assert "in 30 minutes" not in page
