"""My tokens in other orders: kept in the address, every token once, page by page both ways."""

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import State, Token, User
from portal.models.states import NOT_LIVE
from portal.views import paging
from portal.views.paging import load_tokens
from portal.views.tokens.orders import ORDERS, in_order

pytestmark = pytest.mark.django_db

EARLY = datetime(2000, 1, 1, tzinfo=UTC)
STATES = (State.ACTIVE, State.ACTIVE, State.REVOKING, State.EXPIRED, State.AWAITING_APPROVAL)


@pytest.fixture
def tokens(make_token: Callable[..., Token], engineer: User, lead: User) -> list[Token]:
    """Live ones and others, with the same moments, ends of overlaps and uses among them."""
    chance, now = random.Random(7), timezone.now()
    moments = [None, now, now + timedelta(days=1), now + timedelta(days=2)]
    make_token(lead, name="not-mine", state=State.ACTIVE)
    return [
        make_token(
            engineer,
            name=f"ci-{chance.randrange(10_000)}-{number}",
            state=chance.choice(STATES),
            expires_at=chance.choice(moments),
            revoke_at=chance.choice([None, None, now]),
            last_used_at=chance.choice(moments),
        )
        for number in range(30)
    ]


def expected(tokens: list[Token], sort: str) -> list[Token]:
    newest = sorted(tokens, key=lambda one: (one.created_at, one.pk), reverse=True)
    live = [one for one in newest if one.state not in NOT_LIVE]
    over = [one for one in newest if one.state in NOT_LIVE]
    if sort == "name":
        return sorted(tokens, key=lambda one: (one.name, one.pk))
    if sort == "ends":
        ending = [one for one in live if one.expires_at]
        ending.sort(key=lambda one: (one.ends_at or EARLY, one.pk))
        return [*ending, *(one for one in live if not one.expires_at), *over]
    if sort == "used":
        unused = sorted(
            (one for one in live if not one.last_used_at), key=lambda one: (one.created_at, one.pk)
        )
        used = sorted(
            (one for one in live if one.last_used_at),
            key=lambda one: (one.last_used_at or EARLY, one.pk),
        )
        return [*unused, *used, *over]
    return newest


@pytest.mark.parametrize("sort", [one.sort for one in ORDERS])
def test_every_token_is_shown_once_in_its_order_there_and_back(
    sort: str, tokens: list[Token], engineer: User
) -> None:
    own = Token.objects.filter(owner=engineer)
    wanted = [str(one.pk) for one in expected(list(own), sort)]
    shown: list[list[str]] = []
    asked = ""
    while True:
        page = paging.page(in_order(own, sort), asked, load_tokens, size=7)
        shown.append([str(one.pk) for one in page])
        if not page.next:
            break
        asked = page.next
    assert [pk for one in shown for pk in one] == wanted
    for before in shown[-2::-1]:
        page = paging.page(in_order(own, sort), page.previous, load_tokens, size=7)
        assert [str(one.pk) for one in page] == before


def test_an_order_stays_in_the_address_and_is_said(
    engineer: User, make_token: Callable[..., Token], sign_in: Callable[[User], Client]
) -> None:
    for number in range(paging.PER_PAGE + 1):
        make_token(engineer, name=f"ci-{number:02}", state=State.ACTIVE)
    client = sign_in(engineer)
    html = client.get("/tokens/?sort=name").content.decode()
    assert '<th scope="col" aria-sort="ascending">Name</th>' in html
    assert re.search(r'href="/tokens/\?sort=name" aria-current="true">Name</a>', html)
    [following] = re.findall(r'rel="next" href="(\?sort=name&amp;page=[^"]+)"', html)
    last = client.get(f"/tokens/{following.replace('&amp;', '&')}").content.decode()
    assert "ci-50</a>" in last
    assert re.search(r'rel="prev" href="\?sort=name&amp;page=before-', last)
    assert "Same as last time" in html


def test_an_order_that_there_is_none_of_is_the_first(
    engineer: User, make_token: Callable[..., Token], sign_in: Callable[[User], Client]
) -> None:
    make_token(engineer, state=State.ACTIVE)
    assert "newest first" in sign_in(engineer).get("/tokens/?sort=%00x").content.decode()
