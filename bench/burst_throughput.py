"""A burst of requests: how close the portal comes to AWS's limit, and how fast it is without one.

Limited: AWS takes 20 calls a second, all operations together, and 1,000 requests come at once. How
many are served, at what share of the limit, and how often AWS has to say "slow down" once the first
seconds have taught the workers its pace. Unlimited: 1,000 requests again, and beside them boto3
with 16 threads, which only creates: no form, no database, no sealing, no confirmation.

Run by ``make bench``; ``PORTAL_TEST_STACK=production`` measures on PostgreSQL and Redis instead of
the embedded default.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from bench import report
from bench.crowd import fresh_name
from bench.report import Target
from tests import environment, pages
from tests.grafana.aws_clients import boto3_client
from tests.grafana.sandbox_process import MOBILE, PROD, STAGING, SandboxProcess
from tests.person import KeyPair, Person
from tests.product import Product
from tests.reliability.asked import another_tab

REQUESTS = 1_000
LIMIT = 20
"""Calls per second that AWS takes in the first part."""
FIRST_SECONDS = 5.0
TABS = 40
"""Browsers that send requests at the same time."""
TAKERS = 20
"""Pages that wait for keys at the same time: fewer than the portal has places for."""
PATIENCE = 200
THREADS = 16
"""Of boto3."""
SESSIONS = (
    ("engineer@example.com", PROD),
    ("teammate@example.com", PROD),
    ("lead@example.com", STAGING),
    ("outsider@example.com", MOBILE),
)
ACCOUNTS = ("2", "3")


@dataclass(slots=True)
class Burst:
    """What came of a burst; times in seconds."""

    served: int
    accepted_after: float
    """When the last form was answered."""
    served_after: float
    """When the last key was confirmed by its page."""
    calls: list[dict[str, Any]]
    """AWS's log of it."""

    @property
    def per_second(self) -> float:
        return self.served / self.served_after


def main() -> None:
    load, began = report.Load(), time.monotonic()
    product = Product(PORTAL_RATE_LIMITS="off", PORTAL_TOKEN_QUOTA="100000")
    del product.environment["PORTAL_WORKER_PROCESSES"]  # as many as the product has by itself
    with product:
        sandbox = product.sandbox
        sandbox.settings(token_quota=100_000)
        people = [(product.sign_in(email), workspace) for email, workspace in SESSIONS]
        keys = KeyPair()
        unlimited = burst(sandbox, people, keys)
        boto3_per_second = boto3_alone(sandbox)
        sandbox.settings(rate_limits={"*": {"per_second": LIMIT}})
        limited = burst(sandbox, people, keys)
    tell(
        limited,
        unlimited,
        boto3_per_second,
        facts={
            "stack": environment.STACK,
            "machine": report.machine(),
            "load": load.describe(),
            "seconds": round(time.monotonic() - began, 1),
        },
    )


def burst(sandbox: SandboxProcess, people: Sequence[tuple[Person, str]], keys: KeyPair) -> Burst:
    """Send every request as fast as the portal takes them, and take every key."""
    sandbox.steer("DELETE", "calls")
    room = threading.Semaphore(TAKERS)
    started = time.monotonic()

    def browse(number: int) -> tuple[float, int]:
        person, workspace = people[number % len(people)]
        fields = {"workspace": workspace, "service_account": ACCOUNTS[number % len(ACCOUNTS)]}
        served = 0
        with another_tab(person) as tab:
            asked = [
                tab.request(keys, name=fresh_name(), seconds_to_live="3600", reason="", **fields)
                for _ in range(REQUESTS // TABS)
            ]
            accepted_after = time.monotonic() - started
            for token_id in asked:
                with room:
                    served += tab.take(keys, token_id, polls=PATIENCE).startswith("glsa_")
        return accepted_after, served

    with ThreadPoolExecutor(TABS) as pool:
        came = list(pool.map(browse, range(TABS)))
    served_after = time.monotonic() - started
    return Burst(
        served=sum(served for _, served in came),
        accepted_after=max(after for after, _ in came),
        served_after=served_after,
        calls=sandbox.calls(),
    )


def boto3_alone(sandbox: SandboxProcess) -> float:
    """Tokens per second that boto3 creates with 16 threads, each with a client of its own."""

    def create(number: int) -> None:
        with boto3_client(sandbox, max_pool_connections=1) as client:
            for _ in range(REQUESTS // THREADS):
                client.create_workspace_service_account_token(
                    workspaceId=PROD,
                    serviceAccountId=ACCOUNTS[number % len(ACCOUNTS)],
                    name=fresh_name(),
                    secondsToLive=3600,
                )

    return _per_second(create)


def _per_second(create: Callable[[int], None]) -> float:
    with ThreadPoolExecutor(THREADS) as pool:
        started = time.monotonic()
        list(pool.map(create, range(THREADS)))
        return (REQUESTS // THREADS * THREADS) / (time.monotonic() - started)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a limited burst went, after its first seconds, as AWS saw it."""

    seconds: float
    served: int
    throttled: int
    throttled_at_first: int

    @classmethod
    def of(cls, calls: Sequence[dict[str, Any]]) -> "Pace":
        start, end = calls[0]["at"] + FIRST_SECONDS, calls[-1]["at"]
        later = [call for call in calls if call["at"] >= start]
        throttled = [call for call in calls if call["status"] == 429]
        return cls(
            seconds=end - start,
            served=len([call for call in later if call["status"] == 200]),
            throttled=len([call for call in throttled if call["at"] >= start]),
            throttled_at_first=len([call for call in throttled if call["at"] < start]),
        )

    @property
    def share_of_limit(self) -> float:
        return 100 * self.served / self.seconds / LIMIT

    @property
    def share_throttled(self) -> float:
        return 100 * self.throttled / (self.served + self.throttled)


def tell(
    limited: Burst, unlimited: Burst, boto3_per_second: float, *, facts: dict[str, Any]
) -> None:
    """Print everything, and write it."""
    pace = Pace.of(limited.calls)
    lines = [
        ("requests", limited.served, unlimited.served, REQUESTS // THREADS * THREADS),
        ("forms answered after (s)", limited.accepted_after, unlimited.accepted_after, None),
        ("keys confirmed after (s)", limited.served_after, unlimited.served_after, None),
        ("tokens per second", limited.per_second, unlimited.per_second, boto3_per_second),
    ]
    headings = ("", f"AWS takes {LIMIT}/s", "no limit", f"boto3, {THREADS} threads")
    rows = [
        [what, *("-" if one is None else f"{one:.1f}".removesuffix(".0") for one in values)]
        for what, *values in lines
    ]
    report.show(f"A burst of {REQUESTS} requests", headings, rows)
    targets = [
        Target("requests served", limited.served, REQUESTS, unit="", at_least=True),
        Target("share of AWS's limit", pace.share_of_limit, 90, unit="%", at_least=True),
        Target(f"calls throttled after {FIRST_SECONDS:g} s", pace.share_throttled, 2, unit="%"),
    ]
    at_first = f"throttled in the first {FIRST_SECONDS:g} s: {pace.throttled_at_first} calls"
    print(f"\n  {at_first}")
    for target in targets:
        print(f"  {target}")
    path = report.write(
        "burst_throughput",
        {
            **facts,
            "requests": REQUESTS,
            "limited": {
                "calls_per_second": LIMIT,
                **_as_json(limited),
                "share_of_limit_percent": round(pace.share_of_limit, 1),
                "throttled_percent": round(pace.share_throttled, 2),
                "throttled_calls_in_the_first_seconds": pace.throttled_at_first,
            },
            "unlimited": _as_json(unlimited),
            "boto3": {"threads": THREADS, "tokens_per_second": round(boto3_per_second, 1)},
            "targets": [{"what": one.what, "reached": one.reached} for one in targets],
        },
    )
    report.publish(
        "burst-throughput",
        [
            f"The {facts['stack']} stack. {report.machine_in_words(facts['load'])}",
            "",
            *pages.table(headings, rows),
            "",
            *(f"- {one}" for one in (*targets, at_first)),
        ],
    )
    print(f"\n  written to {path} and docs/PERFORMANCE.md")


def _as_json(burst: Burst) -> dict[str, float]:
    return {
        "served": burst.served,
        "forms_answered_after_seconds": round(burst.accepted_after, 1),
        "keys_confirmed_after_seconds": round(burst.served_after, 1),
        "tokens_per_second": round(burst.per_second, 1),
    }


if __name__ == "__main__":
    main()
