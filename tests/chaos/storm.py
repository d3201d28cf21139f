"""The storm: 1,000 requests from 50 people, while workers die and AWS fails after the effect.

Worker processes are killed with -9, 50 times, whichever it meets, the pool's master too; one create
in ten succeeds at AWS and answers 500. Afterwards every request must have its one key, and AWS no
token but those. Prints the counts; the exit status is 1 when anything was lost, doubled or left.

Run by ``make chaos``; ``PORTAL_TEST_STACK`` says on which stack.
"""

import contextlib
import json
import os
import random
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests import environment
from tests.grafana.sandbox_process import PROD, STAGING
from tests.person import KeyPair, Person
from tests.product import ROOT, Product
from tests.reliability.asked import Asked
from tests.reliability.legal_order import fault_in
from tests.reliability.matrix import CREATE
from tests.reliability.records import Records

PEOPLE = 50
REQUESTS_EACH = 20
KILLS = 50
FAILS = 0.1
AWS_MS = 300.0
THINK_SECONDS = (2.0, 8.0)
KILL_SECONDS = (1.0, 4.0)
LEAST_AT_WORK = 4
"""Worker processes, a master and its first children: with fewer, nobody works yet."""
LONGEST_REQUEST = 400.0
LIMIT_SECONDS = 1200.0
PLACES = [(workspace, account) for workspace in (PROD, STAGING) for account in ("2", "3", "4")]
RESULTS = ROOT / "var" / "chaos"

ACCESS = """\
version: 1
connections:
  main: {{region: eu-west-1}}
people:
  - {{email: admin@example.com, admin: true}}
teams:
  storm:
    members: [{members}]
    grants:
      - workspace: "*"
        service_accounts: ["*"]
        max_ttl: 30d
        default_ttl: 7d
"""


@dataclass(slots=True)
class Count:
    """What the storm did, and what it must not have done: the last five are to be 0."""

    stack: str
    requests: int
    delivered: int
    workers_killed: int
    failed_after_the_effect: int
    attempts_more_than_one: int
    orphans_removed: int
    slowest_seconds: float
    seconds: float
    lost: int = 0
    orphans: int = 0
    doubles: int = 0
    untold: int = 0
    senseless: int = 0

    @property
    def is_clean(self) -> bool:
        return not any((self.lost, self.orphans, self.doubles, self.untold, self.senseless))


class Killer(threading.Thread):
    """Kills worker processes at random, until it has killed as many as it was told to.

    It leaves a master alone that has no children yet: from then on it would meet nothing else, and
    nobody would be at work to lose anything.
    """

    def __init__(self, product: Product, kills: int) -> None:
        super().__init__(daemon=True)
        self.killed = 0
        self._product = product
        self._kills = kills
        self._chance = random.Random()

    def run(self) -> None:
        while self.killed < self._kills:
            time.sleep(self._chance.uniform(*KILL_SECONDS))
            pids = sorted(self._product.pids("worker"))
            if len(pids) < LEAST_AT_WORK:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._chance.choice(pids), signal.SIGKILL)
                self.killed += 1


def main() -> int:
    # Whoever is asked to stop stops the product too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    began = time.monotonic()
    emails = [f"storm-{number:02}@example.com" for number in range(1, PEOPLE + 1)]
    with tempfile.TemporaryDirectory(prefix="portal-storm-") as directory:
        access = Path(directory) / "access.yaml"
        access.write_text(ACCESS.format(members=", ".join(emails)))
        with Product(
            PORTAL_ACCESS_FILE=str(access),
            PORTAL_RATE_LIMITS="off",
            PORTAL_TOKEN_QUOTA="100000",
            PORTAL_WORKER_PROCESSES="12",
        ) as product:
            with log_kept(product):
                people = sign_in(product, emails)
                asked, killed = storm(product, people, began + LIMIT_SECONDS)
            count = reckon(product, asked, killed, time.monotonic() - began)
    say(count)
    return 0 if count.is_clean else 1


@contextlib.contextmanager
def log_kept(product: Product) -> Iterator[None]:
    """Keep what the product printed: its directory ends with the storm, and it says why."""
    RESULTS.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield
    finally:
        (RESULTS / f"storm-{environment.STACK}.log").write_text(product.log())


def sign_in(product: Product, emails: list[str]) -> list[Person]:
    """The access file has made them; they share a password, so that one hash is enough."""
    password = secrets.token_urlsafe(16)
    encoded = PBKDF2PasswordHasher().encode(password, secrets.token_hex(16))
    Records(product).set_password_hash(emails, encoded)

    def one(email: str) -> Person:
        person = Person(product.url)
        person.sign_in(email, password)
        return person

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, emails))


def storm(product: Product, people: list[Person], until: float) -> tuple[list[Asked], int]:
    """Everybody asks, waits, takes, thinks, and asks again; how many workers died meanwhile."""
    sandbox, keys = product.sandbox, KeyPair()
    sandbox.settings(token_quota=100_000, latency_ms={CREATE: AWS_MS})
    sandbox.fault("error", "after", operation=CREATE, probability=FAILS)
    killer = Killer(product, KILLS)

    def work(number: int) -> list[Asked]:
        chance = random.Random()
        asked = []
        for turn in range(REQUESTS_EACH):
            time.sleep(chance.uniform(*THINK_SECONDS))
            place = PLACES[(number + turn) % len(PLACES)]
            one = Asked(people[number], keys, f"storm-{number}", place=place)
            one.submit()
            one.watch(min(LONGEST_REQUEST, until - time.monotonic()))
            asked.append(one)
        return asked

    killer.start()
    with ThreadPoolExecutor(len(people)) as pool:
        asked = [one for their in pool.map(work, range(len(people))) for one in their]
    killer.join(max(0.0, until - time.monotonic()))
    for person in people:
        person.http.close()
    return asked, killer.killed


def reckon(product: Product, asked: list[Asked], killed: int, seconds: float) -> Count:
    """Hold what people have against what AWS has, and both against the rows and the log."""
    records, live = Records(product), product.sandbox.live_tokens()
    rows = {row.id: row for row in records.tokens()}
    events: dict[str, list[str]] = {one.id: [] for one in asked}
    told = set()
    for event in records.events():
        events[event.token_id].append(event.action)
        if event.action in ("token.issued", "token.orphan_removed"):
            told.add((event.workspace, event.aws_token_id))
    creates = product.sandbox.calls(CREATE)
    made = {(call["workspace_id"], call["token_id"]) for call in creates if call["effect"] == 200}
    names = {(one.place[0], one.name): one for one in asked}
    held = [
        token
        for token in live
        if (one := names.get((token["workspace_id"], token["name"])))
        and one.keys
        and rows[one.id].aws_token_id == str(token["id"])
    ]
    return Count(
        stack=environment.STACK,
        requests=len(asked),
        delivered=len([one for one in asked if one.keys]),
        workers_killed=killed,
        failed_after_the_effect=len([call for call in creates if call["fault"] == "error after"]),
        attempts_more_than_one=len([row for row in rows.values() if row.attempt > 1]),
        orphans_removed=sum(life.count("token.orphan_removed") for life in events.values()),
        slowest_seconds=round(max(one.seconds or LIMIT_SECONDS for one in asked), 1),
        seconds=round(seconds, 1),
        lost=len([one for one in asked if not (one.keys and rows[one.id].state == "active")]),
        orphans=len(live) - len(held),
        doubles=len(
            [one for one in asked if len(one.keys) > 1]
            + [one for one in asked if events[one.id].count("token.delivered") > 1]
        ),
        untold=len(made - told),
        senseless=len([one for one in asked if fault_in(events[one.id], rows[one.id].state)]),
    )


def say(count: Count) -> None:
    """Print the counts, and write them down."""
    print(f"\nThe storm on the {count.stack} stack")
    for name, value in asdict(count).items():
        print(f"  {name.replace('_', ' '):<24} {value}")
    path = RESULTS / f"storm-{count.stack}.json"
    path.write_text(json.dumps(asdict(count), indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
