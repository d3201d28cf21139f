"""docs/CAPACITY.md holds what bench/capacity.py works out, and the simulation keeps to the portal's
own rules."""

import re
from dataclasses import replace

import pytest

from bench.capacity import MEASURED, PAGE, TABLES, Company, Need, log_rows, needs
from bench.clockwork import Bucket, Costs, Pace
from bench.day import COMPANY, Came, simulate, simulated_burst
from bench.simulated import Account, Host, Task
from bench.simulated import Company as Simulated
from portal import pace, places
from portal.flows.sync_catalog import SYNC_SECONDS
from tests import pages

SMALL = replace(COMPANY, connections=20, workspaces=5)


# -- Arithmetic -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_the_document_holds_what_is_worked_out(name: str) -> None:
    text = PAGE.read_text()
    table = text.partition(f"<!-- {name}:begin -->")[2].partition(f"<!-- {name}:end -->")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert lines == TABLES[name](), "run python -m bench.capacity --docs"


def test_each_figure_names_a_section_that_is_there() -> None:
    for one in MEASURED:
        text = (pages.DOCS / one.page).read_text()
        assert re.search(rf"^##+ {re.escape(one.section)}$", text, re.M), one
        assert one.value > 0


def test_the_company_is_read_as_often_as_the_portal_reads() -> None:
    company, table = Company(), (pages.DOCS / "OPERATIONS.md").read_text()
    assert company.sync_seconds == SYNC_SECONDS
    assert f"| `PORTAL_INVENTORY_SECONDS` | {company.inventory_seconds:g} |" in table


def test_what_a_part_needs_grows_with_what_it_comes_from() -> None:
    once, twice = Company(), Company(workspaces=20_000)
    assert twice.lists_a_second == pytest.approx(2 * once.lists_a_second) == pytest.approx(400 / 9)
    assert once.catalog_calls_a_second == 35
    assert replace(once, inventory_seconds=1800).lists_a_second == once.lists_a_second / 2
    assert once.requests_a_second == pytest.approx(1000 / 3600)


def test_the_part_that_ends_first_stands_first() -> None:
    found = needs(Company())
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)
    assert Need("", needs=3.0, has=2.0, unit="", turn="").share == 150
    assert all(one.turn for one in found)


def test_a_log_twice_as_long_takes_twice_as_long_to_read() -> None:
    once, twice = (dict(log_rows(Company(events=events))) for events in (1e8, 2e8))
    name = "verified in the database, minutes on a core"
    assert float(twice[name].replace(",", "")) == pytest.approx(2 * float(once[name]), rel=0.01)


# -- The simulation -------------------------------------------------------------------------------


def test_aws_serves_its_limit_and_says_when_to_come_again() -> None:
    bucket = Bucket(5)
    served = [bucket.take(second / 20) for second in range(2000)].count(0)
    assert served == pytest.approx(5 * 100 + 5, abs=1)
    assert bucket.take(100.0) >= 1


def test_a_pace_is_cut_below_what_was_served_and_grows_again() -> None:
    found = Pace()
    assert found.turn(10.0) == (0.0, 10.0), "nobody waits until AWS objects"
    for _ in range(5):
        found.served(10.5)
    found.throttled(10.6, at=10.6)
    assert found.rate == pytest.approx(5 * pace.CUT)
    _, first = found.turn(11.0)
    _, second = found.turn(11.0)
    assert second - first == pytest.approx(1 / found.rate, rel=0.01)
    found.turn(40.0)
    assert found.rate > 5
    assert found.turn(11.0 + pace.FORGOTTEN_AFTER)[0] == 0.0
    assert found.rate == 0


def test_the_same_seed_gives_the_same_day() -> None:
    assert day(seed=7) == day(seed=7) != day(seed=8)


def test_everybody_gets_a_key_and_aws_s_limit_is_kept() -> None:
    came = day(seed=7)
    assert len(came.seconds) == came.asked
    assert came.share_of_busiest <= 100 * 65 / 60, "the bucket's own five, beside five a second"
    costs = Costs()
    assert min(came.seconds) == pytest.approx(costs.create_at_aws + costs.create_here)


def day(*, seed: int) -> Came:
    return simulate("", SMALL, a_few, 0.5, seed=seed)


def a_few(company: Simulated) -> int:
    for number in range(300):
        company.ask(number % 3, number / 2)
    return 300


def test_lists_wait_for_people_and_take_a_third_of_the_places() -> None:
    host = Host(12)
    account = Account(0, Bucket(5))
    reading = Task(account, lambda _: iter(()), is_reading=True)  # type: ignore[arg-type,return-value]  # never begun
    assert host.may_take(reading)
    host.read = set(range(1, 1 + places.readings(12)))
    assert not host.may_take(reading)
    host.read = {0}
    assert not host.may_take(reading), "one of a connection at a time"


def test_a_burst_goes_as_fast_as_aws_lets_it() -> None:
    point = simulated_burst(200, 5.0, 5.0)
    assert 90 < point.share <= 101
    assert point.done_after == pytest.approx(200 / 5, rel=0.15)
