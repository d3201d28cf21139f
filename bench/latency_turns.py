"""How long until the key is readable, in this version and in another commit's, in turns.

Both run at once, each with a sandbox of its own that answers a create after 150 ms, and the two
take turns token by token: whatever else the machine does meets both. The clock is that of
``issue_latency``; *overhead* is what goes beyond the 150 ms.

``python -m bench.latency_turns --against e551cae``; ``PORTAL_TEST_STACK=production`` measures on
PostgreSQL and Redis instead of the embedded default.
"""

import argparse
import contextlib
from pathlib import Path

from bench import crowd, report
from bench.peers import Peer
from bench.trees import HERE, trees
from bench.visitor import Place, Visitor
from tests import environment
from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair
from tests.product import Product

AWS_MS = 150
CREATE = "CreateWorkspaceServiceAccountToken"
PLACE = Place(PROD, "2")
PEOPLE = ("engineer@example.com", "teammate@example.com")
TOGETHER = 20
WARMING, ROUNDS, ROUNDS_TOGETHER = 5, 60, 10
ALONE, AT_ONCE = "one person", f"{TOGETHER} at the same instant"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", metavar="COMMIT", required=True)
    options = parser.parse_args()
    load, keys = report.Load(), KeyPair()
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(trees(options.against))
        crowds = {}
        for name, tree in found.items():
            report.progress(f"starting {name}, signing in")
            crowds[name] = _crowd(stack, name, tree, keys)
        taken = _measure(crowds)
    headings = ("", "commit", "n", "p50 ms", "p95 ms")
    rows = [
        report.Row(what, name, [1000 * one - AWS_MS for one in seconds])
        for (what, name), seconds in taken.items()
    ]
    lines = [
        [one.group, one.who, str(len(one.samples)), f"{one.p50:.1f}", f"{one.p95:.1f}"]
        for one in rows
    ]
    report.show(f"Overhead, {environment.STACK} stack, in turns", headings, lines)
    print(f"\n  {load.describe()}")


def _crowd(stack: contextlib.ExitStack, name: str, tree: Path, keys: KeyPair) -> list[Peer]:
    """The product of a tree, and who asks it for tokens."""
    product = Product(PORTAL_RATE_LIMITS="off", PORTAL_TOKEN_QUOTA="100000")
    product.tree = tree
    del product.environment["PORTAL_WORKER_PROCESSES"]  # as many as it has by itself
    stack.enter_context(product)
    product.sandbox.settings(latency_ms={CREATE: AWS_MS}, token_quota=100_000)
    visitors = []
    for number in range(TOGETHER):
        person = product.sign_in(PEOPLE[number % len(PEOPLE)])
        visitors.append(Visitor(person, keys, PLACE))
        stack.callback(visitors[-1].close)
    return [
        Peer(name, lambda word, one=one: one.issue(word).total, one.open_form)  # type: ignore[misc]
        for one in visitors
    ]


def _measure(crowds: dict[str, list[Peer]]) -> dict[tuple[str, str], list[float]]:
    """Seconds, by what was measured and of which version."""
    for peers in crowds.values():
        for _ in range(WARMING):
            crowd.at_the_same_instant(peers)
    report.progress(ALONE)
    alone = crowd.in_turns([peers[0] for peers in crowds.values()], ROUNDS)
    taken = {(ALONE, name): seconds for name, seconds in alone.items()}
    for number in range(ROUNDS_TOGETHER):
        report.progress(f"{AT_ONCE}, {number + 1} of {ROUNDS_TOGETHER}")
        order = list(crowds) if number % 2 else list(crowds)[::-1]
        for name in order:
            taken.setdefault((AT_ONCE, name), []).extend(crowd.at_the_same_instant(crowds[name]))
    return dict(sorted(taken.items(), key=lambda one: (one[0][0], one[0][1] == HERE)))


if __name__ == "__main__":
    main()
