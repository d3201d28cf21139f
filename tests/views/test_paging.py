"""Pages that begin next to a row: nothing is shown twice, nothing is left out, both ways."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from portal.models import State, Token, User
from portal.views import paging
from portal.views.paging import Page, Stretch, load_tokens

pytestmark = pytest.mark.django_db

DESK, MINE = "/team/platform/", "/tokens/"


def stretches() -> list[Stretch[Token]]:
    """As a desk has them: by their end, and those without one in the order of their requests."""
    return [
        Stretch(Token.objects.filter(expires_at__isnull=False), ("expires_at", "id")),
        Stretch(Token.objects.filter(expires_at=None), ("-created_at", "-id")),
    ]


def whole() -> list[str]:
    return [str(pk) for one in stretches() for pk in list(one.keys())]


def ask(asked: str, size: int = 4) -> Page[Token]:
    return paging.page(stretches(), asked, load_tokens, size=size)


def keys(page: Page[Token]) -> list[str]:
    return [str(token.pk) for token in page]


@pytest.fixture(params=range(3))
def tokens(
    request: pytest.FixtureRequest, make_token: Callable[..., Token], engineer: User
) -> list[Token]:
    """Many ends at the same moment, and times that the database made itself, which SQLite keeps
    with fewer digits than those that it is given."""
    chance, now = random.Random(request.param), timezone.now()
    ends = [None, now, now + timedelta(microseconds=1), now + timedelta(days=1)]
    made = [make_token(engineer, expires_at=chance.choice(ends)) for _ in range(23)]
    half = [token.pk for token in made[::2]]
    Token.objects.filter(pk__in=half, expires_at__isnull=False).update(expires_at=Now())
    return made


@pytest.mark.usefixtures("tokens")
@pytest.mark.parametrize("size", [1, 3, 4, 22, 23, 24])
def test_page_after_page_shows_every_row_once_and_in_its_order(size: int) -> None:
    seen, page = [], ask("", size)
    assert page.previous == ""
    while True:
        seen += keys(page)
        if not page.next:
            break
        page = ask(page.next, size)
        assert page.previous
    assert seen == whole()
    backward = [keys(page)]
    while page.previous:
        page = ask(page.previous, size)
        backward.insert(0, keys(page))
    # The first page is a whole one again, so it may show some of the second.
    assert list(dict.fromkeys(key for one in backward for key in one)) == whole()
    assert page.previous == ""
    assert (page.next == "") == (size >= 23)


@pytest.mark.usefixtures("tokens")
@pytest.mark.parametrize("number", range(1, 7))
def test_a_numbered_page_of_before_shows_about_what_it_did(
    number: int, tokens: list[Token]
) -> None:
    shown = keys(ask(str(number)))
    meant = whole()[4 * (number - 1) : 4 * number]
    assert len(shown) in (4, len(meant))
    times = {str(token.pk): token.expires_at for token in Token.objects.all()}
    assert {times[key] for key in shown} & {times[key] for key in meant}


@pytest.mark.usefixtures("tokens")
def test_what_lies_beyond_the_end_is_the_last_page() -> None:
    for asked in ("7", "999999"):
        assert keys(ask(asked)) == whole()[-4:]


@pytest.mark.parametrize(
    "odd",
    [
        *(
            "x",
            "0",
            "-1",
            "1e3",
            "\N{FULLWIDTH DIGIT NINE}",
            "\0",
            "after-0-",
            "after-0-x",
            "after-9-1",
            "after-0--",
        ),
        *("before-0-00000000-0000-4000-8000-000000000000", "after-1-" + "f" * 36, "9" * 30),
        "after-0-00000000-0000-4000-8000-000000000000",
    ],
)
@pytest.mark.usefixtures("tokens")
def test_what_makes_no_sense_is_the_first_page(odd: str) -> None:
    assert keys(ask(odd)) == whole()[:4]


def test_an_empty_list_has_a_page_without_neighbours(db: None) -> None:
    for asked in ("", "7", "after-0-00000000-0000-4000-8000-000000000000"):
        page = ask(asked)
        assert (page.object_list, page.is_whole) == ([], True)


# -- In addresses -------------------------------------------------------------------------------


@pytest.fixture
def many(make_token: Callable[..., Token], engineer: User) -> None:
    """120 tokens of each kind, made one a minute."""
    now, one = timezone.now(), make_token(engineer, state=State.CANCELLED)
    kept = {
        field.attname: getattr(one, field.attname)
        for field in Token._meta.concrete_fields
        if field.attname not in ("id", "name", "created_at", "state", "state_at", "expires_at")
    }
    one.delete()
    for n in range(120):
        at = {"created_at": now - timedelta(minutes=n), "state_at": now - timedelta(minutes=n)}
        end = now + timedelta(minutes=n)
        Token.objects.create(**kept, **at, name=f"live-{n:03}", state="active", expires_at=end)
        Token.objects.create(**kept, **at, name=f"over-{n:03}", state="revoked")


def shown(client: Client, path: str, part: str = "page", **query: str) -> tuple[list[str], str]:
    """The names that a page lists, and where the next one begins."""
    page = client.get(path, query).context[part]
    return [token.name for token in page], page.next


@pytest.mark.usefixtures("many")
def test_my_tokens_go_on_and_an_old_address_leads_about_where_it_did(
    engineer: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(engineer)
    first, following = shown(client, MINE)
    second, _ = shown(client, MINE, page=following)
    expected = [f"{kind}-{n:03}" for n in range(120) for kind in ("over", "live")]
    assert sorted(first + second) == sorted(expected[:100])
    assert len(set(shown(client, MINE, page="2")[0]) & set(second)) >= 49
    html = client.get(MINE, {"page": following}).content.decode()
    assert 'rel="prev" href="?page=before-0-' in html
    assert 'rel="next" href="?page=after-0-' in html


@pytest.mark.usefixtures("many")
def test_both_lists_of_a_desk_go_on_by_themselves(
    lead: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(lead)
    _, live = shown(client, DESK)
    _, ended = shown(client, DESK, "ended")
    both = {"page": live, "ended": ended, "q": "0"}
    assert shown(client, DESK, **both)[0] == [f"live-{n:03}" for n in range(50, 100)]
    assert shown(client, DESK, "ended", **both)[0] == [f"over-{n:03}" for n in range(50, 100)]
    html = client.get(DESK, both).content.decode()
    assert f"ended={ended}&amp;q=0" in html, "one list's links keep the other's place"
