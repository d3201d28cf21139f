"""How long people wait for keys in a company of 10,000 engineers and 500 AWS accounts, simulated
(``bench.simulated``), and one point of it held against a real run.

``python -m bench.day --docs`` writes docs/CAPACITY.md in a minute or two. With ``--real`` the small
burst alone is run, on the whole product and its sandbox, and written.
"""

import argparse
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

import django  # noqa: E402 (the portal's modules want its settings, and its settings the variable)
from django.apps import apps  # noqa: E402

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    os.environ.setdefault("PORTAL_DATA_DIR", str(ROOT / "var" / "bench" / "settings"))
    django.setup()

from bench import burst_throughput, capacity, report  # noqa: E402
from bench.clockwork import Costs, Setting  # noqa: E402
from bench.simulated import Company  # noqa: E402
from tests import pages  # noqa: E402
from tests.person import KeyPair  # noqa: E402
from tests.product import Product  # noqa: E402

SEED = 20_261_129
PAGE = pages.DOCS / "CAPACITY.md"
HOUR = 3600.0
ASSUMED = capacity.Company()
COMPANY = Setting(
    connections=ASSUMED.aws_accounts,
    workspaces=ASSUMED.workspaces // ASSUMED.aws_accounts,
    accounts=ASSUMED.service_accounts_of_workspace,
    hosts=2,
    processes=12,
    limit=ASSUMED.calls_of_aws,
    inventory_seconds=ASSUMED.inventory_seconds,
)
HOURS = (2, 10, 25, 15, 9, 5, 7, 10, 8, 5, 3, 1)
"""Of a working day's requests, from seven o'clock on, in per cent: a Monday morning."""
MAILED = 0.25
"""Of the busiest hour's requests, renewals that a mail has asked for: in its first quarter."""
BURST_REQUESTS, BURST_LIMIT = 160, 5.0


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a simulated time."""

    name: str
    asked: int
    seconds: list[float]
    share_of_busiest: float
    """Of AWS's limit, in the busiest minute of the busiest account, in per cent."""
    share_of_all: float
    throttled: float
    """Of all calls, in per cent."""
    list_pauses: list[float]
    catalog_pauses: list[float]


def weights(accounts: int) -> list[float]:
    """Zipf's law: the second account sees half as many requests as the first."""
    return [1 / rank for rank in range(1, accounts + 1)]


def monday(company: Company) -> int:
    """Requests over twelve hours, and as many expired tokens to delete."""
    chances = weights(company.setting.connections)
    numbers = range(company.setting.connections)
    for hour, percent in enumerate(HOURS):
        for _ in range(ASSUMED.requests_a_day * percent // 100):
            is_mailed = percent == max(HOURS) and random.random() < MAILED
            span = HOUR / 4 if is_mailed else HOUR
            at = hour * HOUR + random.uniform(0, span)
            [account] = random.choices(numbers, chances)
            company.ask(account, at)
            [account] = random.choices(numbers, chances)
            company.prune(account, random.uniform(0, len(HOURS) * HOUR))
    return ASSUMED.requests_a_day


def all_at_once(company: Company) -> int:
    """Everybody renews in a quarter of an hour."""
    numbers = range(company.setting.connections)
    for account in random.choices(numbers, weights(len(numbers)), k=ASSUMED.engineers):
        company.ask(account, HOUR / 2 + random.uniform(0, HOUR / 4))
    return ASSUMED.engineers


def in_one_account(company: Company) -> int:
    """The same, with all workspaces that people ask for in one account."""
    for _ in range(ASSUMED.engineers):
        company.ask(0, HOUR / 2 + random.uniform(0, HOUR / 4))
    return ASSUMED.engineers


def simulate(
    name: str, setting: Setting, asking: Callable[[Company], int], hours: float, *, seed: int = SEED
) -> Came:
    company = Company(setting, seed=seed)
    asked = asking(company)
    seconds = hours * HOUR
    company.schedule(seconds=seconds)
    company.time.run(seconds)
    calls = sum(one.served.total() for one in company.accounts)
    throttled = sum(one.throttled for one in company.accounts)
    busiest = max(max(one.served.values(), default=0) for one in company.accounts)
    return Came(
        name=name,
        asked=asked,
        seconds=company.seconds,
        share_of_busiest=100 * busiest / (60 * setting.limit),
        share_of_all=100 * calls / (seconds * setting.limit * setting.connections),
        throttled=100 * throttled / max(1, calls + throttled),
        list_pauses=company.list_pauses[len(company.list_pauses) // 2 :],
        catalog_pauses=company.catalog_pauses[len(company.catalog_pauses) // 2 :],
    )


# -- One point, simulated and real -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Point:
    """A burst on one account that nothing else calls."""

    sent_within: float
    done_after: float
    share: float
    """Of AWS's limit, after the first seconds, in per cent."""
    throttled: int


def simulated_burst(requests: int, limit: float, sent_within: float) -> Point:
    costs = Costs(create_at_aws=0.005)  # the sandbox's own
    setting = Setting(1, 0, 0, hosts=1, processes=12, limit=limit, costs=costs)
    company = Company(setting, seed=SEED)
    for _ in range(requests):
        company.ask(0, random.uniform(0, sent_within))
    company.time.run(HOUR)
    last, first = max(company.sealed_at), burst_throughput.FIRST_SECONDS
    later = sum(at > first for at in company.sealed_at)
    [account] = company.accounts
    return Point(sent_within, last, 100 * later / (last - first) / limit, account.throttled)


def real_burst(requests: int, limit: float) -> Point:
    """bench/burst_throughput.py's, with fewer requests and AWS's own limit."""
    burst_throughput.REQUESTS, burst_throughput.LIMIT = requests, int(limit)
    product = Product(PORTAL_RATE_LIMITS="off", PORTAL_TOKEN_QUOTA="100000")
    del product.environment["PORTAL_WORKER_PROCESSES"]
    with product:
        sandbox = product.sandbox
        sandbox.settings(token_quota=100_000, rate_limits={"*": {"per_second": limit}})
        sessions = burst_throughput.SESSIONS
        people = [(product.sign_in(email), workspace) for email, workspace in sessions]
        came = burst_throughput.burst(sandbox, people, KeyPair())
    pace = burst_throughput.Pace.of(came.calls)
    throttled = pace.throttled + pace.throttled_at_first
    return Point(came.accepted_after, came.served_after, pace.share_of_limit, throttled)


# -- What is told ----------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:,.0f} s"


def day_table() -> list[str]:
    rows = []
    for came in (
        simulate("Monday, 7 to 11", COMPANY, monday, 4),
        simulate("Monday, one worker host", replace(COMPANY, hosts=1), monday, 4),
        simulate("all renew in 15 minutes", COMPANY, all_at_once, 1.5),
        simulate("the same, in one AWS account", COMPANY, in_one_account, 1.5),
    ):
        waits = [report.quantile(came.seconds, share) for share in (0.5, 0.95, 0.99)]
        rows.append(
            [
                came.name,
                f"{len(came.seconds):,}",
                *map(duration, waits),
                f"{came.share_of_all:.1f} %",
                f"{came.share_of_busiest:.0f} %",
                f"{came.throttled:.2f} %",
                duration(report.quantile(came.list_pauses, 0.95)),
                duration(report.quantile(came.catalog_pauses, 0.95)),
            ]
        )
    headings = (
        *("", "keys", "p50", "p95", "p99", "of AWS's limit, all", "busiest minute of an account"),
        *("calls throttled", "a list again after, p95", "a catalog again after, p95"),
    )
    return [*pages.table(headings, rows)]


def point_table(requests: int, limit: float) -> list[str]:
    real = real_burst(requests, limit)
    simulated = simulated_burst(requests, limit, real.sent_within)
    rows = [
        (what, f"{one:.1f}", f"{other:.1f}", f"{100 * (other / one - 1):+.1f} %" if one else "-")
        for what, one, other in (
            ("all keys made after, s", real.done_after, simulated.done_after),
            (f"share of AWS's limit after {burst_throughput.FIRST_SECONDS:g} s, %", real.share,
             simulated.share),
            ("calls throttled", float(real.throttled), float(simulated.throttled)),
        )
    ]  # fmt: skip
    told = f"{requests} requests within {real.sent_within:.1f} s, AWS takes {limit:g} a second."
    return [told, "", *pages.table(("", "real", "simulated", "apart"), rows)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", action="store_true", help="write docs/CAPACITY.md")
    parser.add_argument("--real", action="store_true", help="hold a small burst against a real run")
    asked = parser.parse_args()
    name, command = ("point", "--real --docs") if asked.real else ("day", "--docs")
    lines = point_table(BURST_REQUESTS, BURST_LIMIT) if asked.real else day_table()
    sys.stdout.write("\n".join([*lines, ""]))
    if asked.docs:
        pages.write(PAGE, name, lines, command=f"python -m bench.day {command}")


if __name__ == "__main__":
    main()
