"""A token's life, as chance will have it: workers, sweeps, people, faults and time, in any order.

People ask, approve, deny, collect, take keys, replace tokens at once or with an overlap, end them,
and lose their access.

After every step nothing may be lost, held twice or forgotten (invariants.py). At the end, when all
faults are over and some time has passed, no token may live at AWS whose key nobody holds.

PORTAL_TEST_LONG=1 plays for minutes, and something else each time.
"""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from portal.models import Team, User
from tests.conftest import Catalog
from tests.grafana.sandbox_process import SandboxProcess
from tests.person import KeyPair
from tests.reliability.life import Life
from tests.reliability.people import Cast
from tests.reliability.world import watched_world

LONG = os.environ.get("PORTAL_TEST_LONG") == "1"
PROFILE = settings(
    max_examples=400 if LONG else 24,
    stateful_step_count=60 if LONG else 30,
    # What everybody runs is the same each time: it must not fail on somebody's unrelated change.
    derandomize=not LONG,
    database=None,
    deadline=None,  # a step is as slow as the disk
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_waiting")
def test_whatever_happens_nothing_is_lost_nothing_comes_twice_and_no_orphan_stays(
    aws: SandboxProcess,
    engineer: User,
    lead: User,
    admin: User,
    platform: Team,
    catalog: Catalog,
    keys: KeyPair,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = Cast(engineer, lead, admin, platform, catalog, keys)
    with watched_world(aws, monkeypatch) as world:

        class OneLife(Life):
            def __init__(self) -> None:
                super().__init__(world, people)

        run_state_machine_as_test(OneLife, settings=PROFILE)
