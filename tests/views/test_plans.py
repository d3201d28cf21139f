"""No page and no job reads all tokens that there ever were: the databases' own plans say so."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.flows.take_inventory import _foreign, _note_last_use, _vanished
from portal.grafana.types import TokenSummary
from portal.models import Grant, ServiceAccount, State, Team, Token, TokenPlace, User
from portal.models.states import ENDED, OPEN
from portal.scheduler import run_all as sweep
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

WHOLE = (
    # SQLite: from end to end, but for the indexes that have few of the rows; or all that a team, a
    # person, a workspace ever had (U1 is an account that AWS has no more: that is asked seldom).
    re.compile(
        r"\bSCAN (?:portal_token|[UVT]\d+)\b(?! USING (?:COVERING )?INDEX "
        r"(?:token_(?:not_deleted|ended|unresolved|live_by_end|live_by_true_end)|portal_(?!token)))"
    ),
    re.compile(
        r"(?:portal_token|U0) USING (?:COVERING )?INDEX "
        r"portal_token_(?:team|owner|workspace|service_account)_id"
    ),
    # PostgreSQL, which was told to avoid it.
    re.compile(r"Seq Scan on portal_token\b"),
)


def plan(sql: str) -> str:
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {sql}")
        return "\n".join(str(line[-1]) for line in cursor.fetchall())


@contextmanager
def nothing_is_read_whole(what: str = "") -> Iterator[None]:
    with CaptureQueriesContext(connection) as queries:
        yield
    asked = [one["sql"] for one in queries if re.match(r"SELECT|WITH", one["sql"])]
    asked = [sql for sql in asked if "portal_token" in sql]
    assert asked, what
    for sql in asked:
        found = plan(sql)
        assert not any(one.search(found) for one in WHOLE), f"{what}\n{sql}\n{found}"


@pytest.fixture(autouse=True)
def history(
    make_token: Callable[..., Token], engineer: User, lead: User, platform: Team, catalog: Catalog
) -> None:
    """Three thousand tokens that have ended, and ten in each state that is open."""
    Grant.objects.filter(team=platform).update(max_live=1000)
    now, one = timezone.now(), make_token(engineer, state=State.CANCELLED)
    kept = {
        field.attname: getattr(one, field.attname)
        for field in Token._meta.concrete_fields
        if field.attname not in ("id", "name", "state", "state_at", "created_at", "lease_until")
    }
    one.delete()
    states = [*OPEN * 10, *(ENDED[n % len(ENDED)] for n in range(3000))]
    Token.objects.bulk_create(
        Token(
            **kept | {"deleted_at": now if state in ENDED else None, "aws_token_id": str(n)},
            name=f"ci-{n}",
            state=state,
            state_at=now - timedelta(hours=n),
            created_at=now - timedelta(hours=n),
            lease_until=now + timedelta(hours=1) if state == State.ISSUING else None,
        )
        for n, state in enumerate(states)
    )
    live = Token.objects.filter(state__in=(State.SEALED, State.ACTIVE, State.REVOKING))
    live.update(expires_at=now + timedelta(days=3), issued_at=now, delivered_at=now)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
            cursor.execute("SET LOCAL enable_seqscan = off")


def test_a_sweep_reads_what_is_open() -> None:
    with nothing_is_read_whole():
        sweep()


@pytest.mark.parametrize("ago", [0, 1])
def test_a_scrape_reads_what_is_open_and_what_ended_lately(ago: int) -> None:
    cache.clear()
    for _ in range(ago):
        Client().get("/metrics")
    with nothing_is_read_whole():
        Client().get("/metrics")


PAGES = {
    "engineer": (
        "/tokens/",
        "/tokens/?page=3",
        "/tokens/renew/",
        "/tokens/?sort=ends",
        "/tokens/?sort=ends&page=3",
        "/tokens/?sort=name",
        "/tokens/?sort=name&page=3",
        "/tokens/?sort=used",
        "/tokens/?sort=used&page=3",
        "/tokens/new/",
        "/tokens/new/?workspace=g-00000000a1&service_account=2",
        "/tokens/accounts/?workspace=g-00000000a1",
        "/tokens/name/?workspace=g-00000000a1&name=ci",
        "/access/",
    ),
    "lead": (
        "/team/platform/",
        "/team/platform/?q=ci-1",
        "/team/platform/?person=engineer@example.com",
        "/team/platform/?flag=never-used",
        "/team/platform/?flag=owner-left",
        "/team/platform/?state=revoked&page=2&ended=3",
        "/team/platform/people/?q=x",
        "/team/platform/accounts/?q=x",
        "/access/",
        "/inventory/",
    ),
    "admin": (
        "/tokens/",
        "/team/",
        "/inventory/",
        "/inventory/?workspace=g-00000000a1",
        "/audit/",
        "/audit/charts/",
        "/access/",
        "/access/?unused=1&team=platform",
        "/access/?person=engineer@example.com",
        "/access/review/",
    ),
}


@pytest.mark.parametrize("who", PAGES)
def test_each_page_reads_what_it_shows(
    who: str, request: pytest.FixtureRequest, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(request.getfixturevalue(who))
    for path in PAGES[who]:
        with nothing_is_read_whole(path):
            assert client.get(path).status_code in (200, 302), path


def test_both_sides_of_a_page_are_read_from_an_index(
    engineer: User,
    lead: User,
    sign_in: Callable[[User], Client],
) -> None:
    for user, path, part in (
        (engineer, "/tokens/", "page"),
        (engineer, "/tokens/?sort=ends", "page"),
        (engineer, "/tokens/?sort=name", "page"),
        (engineer, "/tokens/?sort=used", "page"),
        (lead, "/team/platform/", "page"),
        (lead, "/team/platform/", "ended"),
    ):
        client = sign_in(user)
        following = client.get(path).context[part].next
        with nothing_is_read_whole():
            beside = f"{path}{'&' if '?' in path else '?'}{part}="
            before = client.get(f"{beside}{following}").context[part].previous
        with nothing_is_read_whole():
            client.get(f"{beside}{before}")


def test_a_request_reads_what_its_limits_count(
    engineer: User,
    sign_in: Callable[[User], Client],
    enqueued: list[Any],
    keys: Any,
) -> None:
    fields = {
        "workspace": "g-00000000a1",
        "service_account": "2",
        "name": "new",
        "seconds_to_live": "60",
        "public_key": keys.public,
    }
    client = sign_in(engineer)
    with nothing_is_read_whole():
        assert client.post("/tokens/new/", fields).status_code == 302


def test_an_inventory_reads_what_is_not_deleted(catalog: Catalog) -> None:
    account = ServiceAccount.objects.select_related("workspace").get(pk=catalog.deployer.pk)
    listed = [
        TokenSummary(
            id=f"{n}", name=f"ci-{n}", created_at=None, expires_at=None, last_used_at=timezone.now()
        )
        for n in range(100)
    ]
    with nothing_is_read_whole():
        _vanished(account, {"1"}, timezone.now())
    with nothing_is_read_whole():
        _note_last_use(account, listed)
    ours = Token.objects.known_at_aws_as([account.workspace_id], [one.id for one in listed])
    with nothing_is_read_whole():
        assert ours.count() == 100
    assert _foreign(account, listed) == set()


def test_a_plan_that_reads_everything_is_seen() -> None:
    with pytest.raises(AssertionError), nothing_is_read_whole():
        list(Token.objects.filter(reason="x").order_by())


def test_places_are_found_by_their_indexes(
    make_token: Callable[..., Token], engineer: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    """However many a team wrote down: those of a page's tokens, and the last to be offered."""
    tokens = list(Token.objects.all()[:1000])
    TokenPlace.objects.bulk_create(
        TokenPlace(token=one, team=one.team, text=f"host-{n}", by=engineer)
        for n, one in enumerate(tokens)
    )
    active = Token.objects.filter(state=State.ACTIVE).first()
    assert active is not None
    for who, path in (
        (engineer, "/tokens/"),
        (lead, "/team/platform/"),
        (engineer, f"/tokens/{active.pk}/"),
    ):
        client = sign_in(who)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        asked = [one["sql"] for one in queries if "portal_tokenplace" in one["sql"]]
        assert asked, path
        for sql in asked:
            found = plan(sql)
            assert not re.search(
                r"SCAN portal_tokenplace\b(?! USING)|Seq Scan on portal_tokenplace", found
            ), f"{sql}\n{found}"
