"""200 people browse and 20 ask for tokens, all at once, while a real Prometheus scrapes the portal.

``python -m bench.browsing [--seconds 3600] [--docs]``. Times each page as people meet it, samples
the memory of every process, and draws the dashboard from what Prometheus has gathered. A person
reads for some ten seconds between two pages; who asks for tokens takes each key and thinks for as
long. Not part of ``make bench``: it leaves no time of its own to the others.
"""

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from bench.crowd import fresh_name
from bench.drawing import Panel, picture
from bench.prometheus import Prometheus
from bench.report import Load, Row, machine_in_words, progress, publish, write
from bench.visitor import Place, Visitor
from bench.wire import Connection
from tests import environment, pages
from tests.grafana.sandbox_process import PROD, STAGING
from tests.person import KeyPair, Person
from tests.product import Product
from tests.reliability.records import Records

BROWSING, ISSUING = 200, 20
READS_SECONDS = (5.0, 15.0)
AWS_MS = 150.0
AIM_MS = 250.0
SAMPLE_SECONDS = 5.0
PASSWORD = "correct horse battery staple"
PAGES = {
    "list": "/tokens/",
    "form": "/tokens/new/",
    "desk": "/team/platform/",
    "audit": "/audit/",
}
PICTURES = pages.DOCS / "pictures"
ACCESS = """
version: 1
connections: {{main: {{region: eu-west-1}}}}
people:
  - {{email: admin@example.com, admin: true}}
{auditors}
teams:
  platform:
    leads: [{leads}]
    members: [{members}]
    grants: [{{workspace: "*", max_ttl: 30d}}]
"""


class Browser:
    """One person who reads pages; ``kinds`` are those that they have."""

    def __init__(self, person: Person, kinds: list[str], number: int) -> None:
        cookies = "; ".join(f"{one.name}={one.value}" for one in person.http.cookies)
        self._connection = Connection(person.url, {"Cookie": cookies})
        self._kinds = kinds
        self._chance = random.Random(number)
        self.samples: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []

    def browse(self, until: float) -> None:
        time.sleep(self._chance.uniform(0, READS_SECONDS[1]))
        while time.monotonic() < until:
            kind = self._chance.choice(self._kinds)
            began = time.perf_counter()
            try:
                status = self._connection.exchange("GET", PAGES[kind]).status
            except OSError as error:
                status = 0
                self._connection.close()
                self.errors.append(f"{kind}: {type(error).__name__}")
            self.samples[kind].append(1000 * (time.perf_counter() - began))
            if status not in (0, 200):
                self.errors.append(f"{kind}: {status}")
            time.sleep(self._chance.uniform(*READS_SECONDS))


class Asker:
    """One person who asks for a token, takes its key, and thinks."""

    def __init__(self, person: Person, keys: KeyPair, number: int) -> None:
        place = Place((PROD, STAGING)[number % 2], "2")
        self._visitor = Visitor(person, keys, place)
        self._chance = random.Random(number)
        self.samples: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []

    def ask(self, until: float) -> None:
        while time.monotonic() < until:
            time.sleep(self._chance.uniform(*READS_SECONDS))
            try:
                self._visitor.open_form()
                taken = self._visitor.issue(fresh_name())
            except (AssertionError, OSError) as error:
                self.errors.append(f"asking: {error}"[:200])
                continue
            self.samples["sending a request"].append(1000 * taken.submit)
            self.samples["from sending to the key"].append(1000 * taken.total)


class Memory(threading.Thread):
    """How much memory each kind of process has, shared pages counted once between them (PSS)."""

    def __init__(self, product: Product) -> None:
        super().__init__(daemon=True)
        self._product = product
        self.over = threading.Event()
        self.lines: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def run(self) -> None:
        began = time.monotonic()
        while not self.over.wait(SAMPLE_SECONDS):
            sums: dict[str, float] = defaultdict(float)
            for one in self._product.processes():
                sums[one.name] += _megabytes(one.pid)
            for name in ("web", "worker", "scheduler"):
                self.lines[name].append((time.monotonic() - began, sums[name]))


def _megabytes(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def people(product: Product, emails: list[str]) -> list[Person]:
    Records(product).set_password_hash(emails, PBKDF2PasswordHasher().encode(PASSWORD, "one salt"))

    def one(email: str) -> Person:
        person = Person(product.url)
        person.sign_in(email, PASSWORD)
        return person

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, emails))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    load = Load()
    engineers = [f"engineer-{number}@example.com" for number in range(BROWSING - 20 + ISSUING)]
    leads = [f"lead-{number}@example.com" for number in range(10)]
    auditors = [f"auditor-{number}@example.com" for number in range(10)]
    with tempfile.TemporaryDirectory(prefix="portal-browsing-") as directory:
        access = Path(directory) / "access.yml"
        listed = "\n".join(f"  - {{email: {email}, auditor: true}}" for email in auditors)
        access.write_text(
            ACCESS.format(auditors=listed, leads=", ".join(leads), members=", ".join(engineers))
        )
        with Product(
            PORTAL_ACCESS_FILE=str(access),
            PORTAL_RATE_LIMITS="off",
            PORTAL_TOKEN_QUOTA="100000",
            PORTAL_WORKER_PROCESSES="12",
            PORTAL_INVENTORY_SECONDS="900",
        ) as product:
            product.sandbox.settings(token_quota=100_000, latency_ms={"*": AWS_MS})
            progress("signing in")
            found = people(product, [*engineers, *leads, *auditors])
            askers = [Asker(one, KeyPair(), n) for n, one in enumerate(found[:ISSUING])]
            kinds = [["list", "form"]] * (BROWSING - 20) + [["list", "form", "desk"]] * 10
            kinds += [["list", "audit"]] * 10
            readers = [
                Browser(one, kind, n)
                for n, (one, kind) in enumerate(zip(found[ISSUING:], kinds, strict=True))
            ]
            memory = Memory(product)
            with Prometheus(Path(directory), f"127.0.0.1:{product.port}") as prometheus:
                memory.start()
                progress("browsing and asking")
                since, until = time.time(), time.monotonic() + options.seconds
                with ThreadPoolExecutor(BROWSING + ISSUING) as pool:
                    work = [pool.submit(one.browse, until) for one in readers]
                    work += [pool.submit(one.ask, until) for one in askers]
                    for one in work:
                        one.result()
                memory.over.set()
                firing = prometheus.firing()
                told = (
                    f"{BROWSING} people browse and {ISSUING} ask for tokens ({environment.STACK})"
                )
                dashboard = prometheus.dashboard(since, told)
    return tell(readers, askers, memory, dashboard, firing, load, told, options.docs)


def tell(
    readers: list[Browser],
    askers: list[Asker],
    memory: Memory,
    dashboard: str,
    firing: list[str],
    load: Load,
    told: str,
    docs: bool,
) -> int:
    samples: dict[str, list[float]] = defaultdict(list)
    everybody: list[Browser | Asker] = [*readers, *askers]
    errors = [error for one in everybody for error in one.errors]
    for one in everybody:
        for kind, taken in one.samples.items():
            samples[kind] += taken
    rows = [
        Row("", kind, samples[kind])
        for kind in (*PAGES, "sending a request", "from sending to the key")
    ]
    busy = load.describe()
    lines = [f"The {environment.STACK} stack. {machine_in_words(busy)}", ""]
    lines += pages.table(
        ("page", "n", "p50 ms", "p95 ms", "longest ms"),
        [
            (
                row.who,
                len(row.samples),
                f"{row.p50:.0f}",
                f"{row.p95:.0f}",
                f"{max(row.samples):.0f}",
            )
            for row in rows
        ],
    )
    growth = {
        name: (
            statistics.median(v for _, v in line[: len(line) // 4 or 1]),
            statistics.median(v for _, v in line[-(len(line) // 4 or 1) :]),
        )
        for name, line in memory.lines.items()
    }
    lines += ["", f"Errors: {len(errors)}. Alerts that fired: {', '.join(firing) or 'none'}."]
    lines += [
        "Memory, first and last quarter of the time: "
        + ", ".join(
            f"{name} {first:.0f} and {last:.0f} MB" for name, (first, last) in growth.items()
        )
        + "."
    ]
    print("\n".join([*lines, *errors[:20]]))
    panel = Panel("Memory of all processes of a kind", (8, 8, 900, 320), "MB", memory.lines)
    if docs:
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / "dashboard.svg").write_text(dashboard)
        (PICTURES / "memory.svg").write_text(picture([panel], width=908, height=328, told=told))
        publish("browsing", lines)
    write(
        "browsing",
        {"rows": {row.who: [row.p50, row.p95] for row in rows}, "errors": errors, "load": busy},
    )
    slow = [row for row in rows[: len(PAGES)] if row.p95 > AIM_MS]
    return 1 if errors or slow else 0


if __name__ == "__main__":
    sys.exit(main())
