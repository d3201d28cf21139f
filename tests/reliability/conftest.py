"""The sandbox as the flows' AWS, as in tests/flows, and a world to move step by step."""

from collections.abc import Callable, Iterator

import pytest

from portal.models import Token, User
from tests.conftest import asked_for
from tests.environment import STACK
from tests.flows.conftest import _sandbox, aws, catalog, no_waiting
from tests.grafana.sandbox_process import SandboxProcess
from tests.reliability.world import World, watched_world

# Their assertions are the point, and only those of test modules are spelled out by themselves.
pytest.register_assert_rewrite(
    "tests.reliability.invariants", "tests.reliability.life", "tests.reliability.people"
)

# SQLite has no connection that could be cut.
collect_ignore = [] if STACK == "production" else ["test_database_cut.py", "test_interleaved.py"]

__all__ = ["_sandbox", "aws", "catalog", "no_waiting"]


@pytest.fixture
def world(aws: SandboxProcess, catalog: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with watched_world(aws, monkeypatch) as world:
        world.begin(skew=0.0)
        yield world


@pytest.fixture
def token(world: World, make_token: Callable[..., Token], engineer: User) -> Token:
    return asked_for(make_token(engineer))
