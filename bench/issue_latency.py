"""How long until the key is readable: the AWS CLI, boto3 kept warm, and the portal, in one run.

All use the product's own sandbox, which answers a create after 150 ms. The portal's clock runs from
sending the form until its confirmation is answered, which is when a page shows the key; loading the
token's page, as a browser does meanwhile, is in it. *Overhead* is what goes beyond the 150 ms.

Run by ``make bench``; ``PORTAL_TEST_STACK=production`` measures on PostgreSQL and Redis instead of
the embedded default.
"""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

from bench import chromium, crowd, outcome, peers, report
from bench.cost import Cost
from bench.outcome import (
    AWS_MS,
    BARE,
    BOTO3,
    BROWSER,
    BURST,
    CLI,
    COLD,
    ONE,
    PEOPLE,
    PORTAL,
    PORTAL_NO_PAGE,
    STEADY,
    Samples,
)
from bench.peers import Peer
from bench.visitor import Place, Taken, Visitor
from tests import environment
from tests.grafana.sandbox_process import MOBILE, PROD, STAGING, SandboxProcess
from tests.person import KeyPair, Person
from tests.product import Product

CREATE = "CreateWorkspaceServiceAccountToken"
SESSIONS = (
    ("engineer@example.com", PROD),
    ("teammate@example.com", PROD),
    ("lead@example.com", STAGING),
    ("outsider@example.com", MOBILE),
)
"""Who signs in, each in several browsers, and the workspace they ask in."""
FIRST_ACCOUNT = "2"
PEERS_PLACE = Place(STAGING, FIRST_ACCOUNT)

THINK_SECONDS = (1.0, 3.0)
ROUNDS_OF_ONE = 20
ROUNDS_IN_BROWSER = 15
ROUNDS_OF_WARMING = 3
STEPS = ("submit", "page", "wait", "open", "confirm")
MODEL = {
    "clock": "from sending the form to the confirmation's answer, the token's page loaded between",
    "each in their own time": (
        f"{PEOPLE} browsers of {len(SESSIONS)} people; each opens the form, thinks for "
        f"{THINK_SECONDS[0]:g}-{THINK_SECONDS[1]:g} s (any time as likely), issues, and again"
    ),
    "at the same instant": f"the same {PEOPLE}, forms open, wait for each other, then all submit",
    "shared": "clients, portal and sandbox all run on this one machine",
}


def main() -> None:
    load, began = report.Load(), time.monotonic()
    product = Product(PORTAL_RATE_LIMITS="off", PORTAL_TOKEN_QUOTA="100000")
    del product.environment["PORTAL_WORKER_PROCESSES"]  # as many as the product has by itself
    samples, steps = Samples(), list[Taken]()
    report.progress("starting the product, signing in")
    with product:
        sandbox = product.sandbox
        sandbox.settings(latency_ms={CREATE: AWS_MS}, token_quota=100_000)
        people = sign_in(product)
        visitors = [Visitor(person, KeyPair(), place) for person, place in people]
        cost = Cost(product)
        report.progress("one person at a time")
        measure_one(samples, steps, sandbox, visitors)
        report.progress(f"{PEOPLE} people")
        measure_many(samples, cost, sandbox, visitors)
        report.progress("a real browser")
        measure_browser(samples, *people[0])
        aws_ms = report.quantile([call["ms"] for call in sandbox.calls(CREATE)], 0.5)
        for visitor in visitors:
            visitor.close()
    outcome.tell(
        samples,
        model=MODEL,
        facts={
            "machine": report.machine() | load.describe(),
            "versions": peers.versions(),
            "stack": environment.STACK,
            "sandbox_answers_after_ms": aws_ms,
            "portal_steps_of_one_person_p50_ms": {
                step: round(1000 * report.quantile([getattr(one, step) for one in steps], 0.5), 1)
                for step in STEPS
            },
            "cpu_ms_per_token_of_20_people": cost.per_token(),
            "took_seconds": round(time.monotonic() - began),
        },
    )


def sign_in(product: Product) -> list[tuple[Person, Place]]:
    """Twenty browsers with a session each; hashing their passwords takes all cores a while."""
    with ThreadPoolExecutor() as pool:
        return list(
            pool.map(
                lambda one: (product.sign_in(one[0]), Place(one[1], FIRST_ACCOUNT)),
                SESSIONS * (PEOPLE // len(SESSIONS)),
            )
        )


# -- Measuring ----------------------------------------------------------------------------------


def measure_one(
    samples: Samples, steps: list[Taken], sandbox: SandboxProcess, visitors: list[Visitor]
) -> None:
    """One person at a time, and nobody else; first all workers have worked once or twice."""
    portals = [as_peer(visitor) for visitor in visitors]
    samples.add(COLD, PORTAL, crowd.at_the_same_instant(portals))
    for _ in range(ROUNDS_OF_WARMING):
        crowd.at_the_same_instant(portals)
    with (
        peers.warm_boto3(sandbox, PEERS_PLACE) as boto3,
        peers.bare_client(sandbox, PEERS_PLACE) as bare,
    ):
        taking_part = (
            Peer(CLI, peers.aws_cli(sandbox, PEERS_PLACE)),
            Peer(BOTO3, boto3),
            Peer(BARE, bare),
            as_peer(visitors[0], steps=steps),
            Peer(
                PORTAL_NO_PAGE,
                lambda name: visitors[1].issue(name, loads_page=False).total,
                visitors[1].open_form,
            ),
        )
        for who, taken in crowd.in_turns(taking_part, ROUNDS_OF_ONE).items():
            samples.add(ONE, who, taken)


def measure_many(
    samples: Samples, cost: Cost, sandbox: SandboxProcess, visitors: list[Visitor]
) -> None:
    """Twenty of a kind together; the kinds take turns."""
    portals = [as_peer(visitor) for visitor in visitors]
    clis = [Peer(CLI, peers.aws_cli(sandbox, PEERS_PLACE))] * PEOPLE
    with contextlib.ExitStack() as stack:
        boto3s = [
            Peer(BOTO3, stack.enter_context(peers.warm_boto3(sandbox, PEERS_PLACE)))
            for _ in range(PEOPLE)
        ]

        def in_their_own_time(kind: list[Peer], rounds: int) -> None:
            taken = crowd.in_their_own_time(kind, rounds, THINK_SECONDS)
            samples.add(STEADY, kind[0].who, taken)

        def at_the_same_instant(kind: list[Peer], rounds: int) -> None:
            for _ in range(rounds):
                samples.add(BURST, kind[0].who, crowd.at_the_same_instant(kind))
                time.sleep(crowd.PAUSE)

        # Twenty starting processes keep this machine busy for seconds: once of each will do.
        in_their_own_time(clis, 1)
        at_the_same_instant(clis, 1)
        for _ in range(2):
            in_their_own_time(boto3s, 3)
            with cost.of(5 * PEOPLE):
                in_their_own_time(portals, 5)
            at_the_same_instant(boto3s, 4)
            at_the_same_instant(portals, 4)


def measure_browser(samples: Samples, person: Person, place: Place) -> None:
    """A real browser on the same machine, alone; its first page loads are not counted."""
    with chromium.page_of(person) as page:
        taken = [
            chromium.issue(page, place, crowd.fresh_name()) for _ in range(2 + ROUNDS_IN_BROWSER)
        ]
    samples.add(ONE, BROWSER, taken[2:])


def as_peer(visitor: Visitor, steps: list[Taken] | None = None) -> Peer:
    def issue(name: str) -> float:
        taken = visitor.issue(name)
        if steps is not None:
            steps.append(taken)
        return taken.total

    return Peer(PORTAL, issue, visitor.open_form)


if __name__ == "__main__":
    main()
