"""Each way is killed at every point that it has, one token for each; then recovery does the rest.

PORTAL_TEST_CHAOS=1 has a second worker or the scheduler come at each point, too, after which the
first dies or goes on.
"""

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from pytest_django import Settings

from portal.models import Team, Token, User
from tests.conftest import Catalog
from tests.environment import CHAOS
from tests.person import KeyPair
from tests.reliability.boundaries import Boundaries, watched_boundaries
from tests.reliability.invariants import Sight, check
from tests.reliability.people import Cast
from tests.reliability.rest import come_to_rest
from tests.reliability.ways import REFUSALS, WAYS, Act, Ways
from tests.reliability.world import World

A_FEW = 12
"""Tokens at a time: a workspace holds 100."""
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_waiting"),
]


@pytest.fixture
def ways(
    world: World,
    engineer: User,
    teammate: User,
    lead: User,
    admin: User,
    platform: Team,
    catalog: Catalog,
    keys: KeyPair,
    make_token: Callable[..., Token],
    settings: Settings,
) -> Ways:
    settings.REQUESTS_PER_HOUR = 100_000
    people = Cast(engineer, lead, admin, platform, catalog, keys)
    return Ways(world, people, teammate, make_token)


@pytest.fixture
def points(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Boundaries]:
    with watched_boundaries(world, monkeypatch) as points:
        yield points


@pytest.mark.parametrize("way", WAYS)
def test_whoever_dies_wherever_nothing_is_lost(ways: Ways, points: Boundaries, way: str) -> None:
    passed: list[str] = []
    for at in itertools.count():
        act = getattr(ways, way)(at)
        if not points.run(act, at=at):
            break
        passed = points.passed
        if at % 2:
            _once_more(act)
        if at % A_FEW == A_FEW - 1:
            _comes_to_rest(ways)
    _comes_to_rest(ways)
    _told(f"{way}, killed", passed)


@pytest.mark.parametrize("way", WAYS if CHAOS else ["a_worker_issues"])
@pytest.mark.parametrize("dies", [True, False], ids=["and-dies", "and-goes-on"])
@pytest.mark.parametrize("other", ["the same again", "the scheduler"])
def test_whoever_comes_in_between_nothing_is_lost(
    ways: Ways, points: Boundaries, way: str, other: str, dies: bool
) -> None:
    passed: list[str] = []
    for at in itertools.count():
        act = getattr(ways, way)(at)

        def happens(act: Act = act) -> None:
            if other == "the same again":
                _once_more(act)
            else:
                _lease_over(ways.world)

        if not points.run(partial(_once_more, act), at=at, happens=happens, dies=dies):
            break
        passed = points.passed
        if at % A_FEW == A_FEW - 1:
            _comes_to_rest(ways)
    _comes_to_rest(ways)
    _told(f"{way}, {other} in between, {'and dies' if dies else 'and goes on'}", passed)


def _once_more(act: Act) -> None:
    """Whoever pressed, presses again; the message comes again."""
    with contextlib.suppress(*REFUSALS):
        act()


def _lease_over(world: World) -> None:
    """Whoever held a row is taken for dead, and others go on with it."""
    world.pass_time(46)
    world.sweep()
    world.work_all()


def _comes_to_rest(ways: Ways) -> None:
    check(ways.world, Sight.of(ways.world, ways.strangers))
    come_to_rest(ways.world, ways.strangers)


def _told(what: str, passed: list[str]) -> None:
    kinds = Counter(one.split()[0] for one in passed)
    print(f"{what}: {len(passed)} points, {dict(kinds)}")
    assert kinds["after"] >= 1, "nothing was committed, and nothing was asked of AWS"
