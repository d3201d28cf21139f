"""Whether one account's tokens wait while another account's AWS, or its STS, does not answer.

Two connections. One person asks for a token of the healthy one again and again, alone and then with
19 others at the same instant: while all is well, and while another has 24 requests for the other
connection under way, whose AMG (or STS) takes every call and answers none. The portal's clock is
that of ``issue_latency``; *overhead* is what goes beyond the 150 ms that AWS takes for a create.

Run by ``make bench``; ``--against COMMIT`` measures another commit in turns with this one.
"""

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import crowd, report
from bench.hanging import Hanging
from bench.peers import Peer
from bench.report import Target
from bench.trees import HERE, trees
from bench.visitor import Place, Visitor
from tests import environment, pages
from tests.grafana.sandbox_process import PROD, SandboxProcess
from tests.person import KeyPair, Person
from tests.product import Product

AWS_MS = 150
CREATE = "CreateWorkspaceServiceAccountToken"
HEALTHY = Place(PROD, "2")
AWAY = Place("g-0000000a0a", "2")
OTHER_REGION = "eu-central-1"
ROLE = "arn:aws:iam::210987654321:role/portal"
KINDS = {"its AMG hangs": "", "its STS hangs": f", role_arn: '{ROLE}'"}
PASSWORD = "correct horse battery staple"
"""Of the demo's people, for as long as the benchmark runs."""
PRESSURE = 24
"""Requests for tokens of the connection that hangs."""
TOGETHER = 20
WARMING, ROUNDS = 2, 15
SECONDS = 30.0
"""For so long one person asks for tokens, at most, in each part."""
TURNS = 2
ALONE, AT_ONCE = "one person", f"{TOGETHER} at the same instant"
WELL, HANGS = "all is well", "the other hangs"
ACCESS = """
version: 1
connections:
  main: {{region: eu-west-1}}
  other: {{region: {region}{role}}}
people:
  - {{email: admin@example.com, admin: true, auditor: true}}
teams:
  platform:
    leads: [lead@example.com]
    members: [engineer@example.com, teammate@example.com]
    grants: [{{workspace: "*", service_accounts: ["*"], max_ttl: 30d}}]
"""
KNOWN_OF_OTHER = f"""
import django
django.setup()
from portal.models import Connection, ServiceAccount, Workspace
Workspace.objects.create(
    connection=Connection.objects.get(name="other"), aws_id="{AWAY.workspace}", name="away",
    status="ACTIVE", grafana_version="10.4",
).service_accounts.create(aws_id="{AWAY.service_account}", name="app", grafana_role="VIEWER")
assert ServiceAccount.objects.present().filter(workspace__name="away").exists()
"""

Measured = dict[tuple[str, str], list[float]]
"""Milliseconds beyond AWS's by who asks and how the other connection is."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", metavar="COMMIT", help="measure this commit in turns")
    options = parser.parse_args()
    load = report.Load()
    measured: dict[tuple[str, str], Measured] = {}
    with trees(options.against) as versions:
        for turn in range(TURNS):
            for kind, role in KINDS.items():
                for name, tree in versions.items():
                    report.progress(f"turn {turn + 1} of {TURNS}: {name}, {kind}")
                    into = measured.setdefault((kind, name), {})
                    for what, found in measure(tree, role).items():
                        into.setdefault(what, []).extend(found)
    tell(measured, {"machine": report.machine(), "load": load.describe()})


def measure(tree: Path, role: str) -> Measured:
    """Start the product of a tree, and ask for tokens before and while the other one hangs."""
    directory = Path(tempfile.mkdtemp(prefix="portal-other-hangs-"))
    access = directory / "access.yaml"
    access.write_text(ACCESS.format(region=OTHER_REGION, role=role))
    with (
        contextlib.ExitStack() as stack,
        SandboxProcess(directory) as sandbox,
        Hanging(port=sandbox.port, region=OTHER_REGION) as amg,
        Hanging(port=None) as sts,
    ):
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        sandbox.settings(latency_ms={CREATE: AWS_MS}, token_quota=100_000)
        product = Product(
            **{
                **sandbox.environment,
                "AWS_ENDPOINT_URL_GRAFANA": amg.url,
                "AWS_ENDPOINT_URL_STS": sts.url,
                "PORTAL_GRAFANA": "aws",
                "PORTAL_DEMO_PASSWORD": PASSWORD,
                "PORTAL_ACCESS_FILE": str(access),
                "PORTAL_RATE_LIMITS": "off",
                "PORTAL_TOKEN_QUOTA": "100000",
            }
        )
        product.tree = tree
        del product.environment["PORTAL_WORKER_PROCESSES"]  # as many as it has by itself
        with product:
            subprocess.run(
                [sys.executable, "-c", KNOWN_OF_OTHER],
                cwd=tree,
                env={**product.environment, "DJANGO_SETTINGS_MODULE": "portal.settings"},
                check=True,
            )
            found = _measure(product, amg, sts)
        if not amg.held + sts.held:
            raise AssertionError("nothing hung")
    return found


def _measure(product: Product, amg: Hanging, sts: Hanging) -> Measured:
    people = [Person(product.url) for _ in range(TOGETHER + 1)]
    keys = KeyPair()
    with contextlib.ExitStack() as stack:
        for number, person in enumerate(people):
            stack.callback(person.http.close)
            if number % 7 == 0:
                person.sign_in("engineer@example.com", PASSWORD)
            else:  # another window of that browser
                person.http.cookies.update(people[number - number % 7].http.cookies)
                person.csrf = people[number - number % 7].csrf
        visitors = [Visitor(person, keys, HEALTHY) for person in people[:TOGETHER]]
        for visitor in visitors:
            stack.callback(visitor.close)
        peers = [
            Peer("portal", lambda name, one=one: one.issue(name).total, one.open_form)  # type: ignore[misc]
            for one in visitors
        ]
        for _ in range(WARMING):
            crowd.at_the_same_instant(peers)
        found = {}
        for how in (WELL, HANGS):
            if how == HANGS:
                for part in (amg, sts):
                    part.hang()
                for _ in range(PRESSURE):
                    people[-1].request(
                        keys,
                        workspace=AWAY.workspace,
                        service_account=AWAY.service_account,
                        name=crowd.fresh_name(),
                        seconds_to_live="3600",
                        reason="",
                    )
            found[ALONE, how] = _over(_alone(peers[0]))
            found[AT_ONCE, how] = _over(crowd.at_the_same_instant(peers))
        return found


def _alone(peer: Peer) -> list[float]:
    """Seconds of tokens, one after another, until there are enough or the time is over."""
    until, taken = time.monotonic() + SECONDS, list[float]()
    while len(taken) < ROUNDS and time.monotonic() < until:
        taken += crowd.in_turns([peer], 1)[peer.who]
    return taken


def _over(seconds: list[float]) -> list[float]:
    return [1000 * one - AWS_MS for one in seconds]


# -- What came of it ----------------------------------------------------------------------------


def tell(measured: dict[tuple[str, str], Measured], facts: dict[str, Any]) -> None:
    """Print everything, and write it."""
    headings = ("", "commit", "n", "p50 ms", "p95 ms", "longest ms")
    rows, targets = [], list[Target]()
    for (kind, name), found in measured.items():
        for (who, how), taken in found.items():
            what = f"{who}: {how if how == WELL else kind}"
            longest = max(taken)
            p50, p95 = (report.quantile(taken, share) for share in (0.5, 0.95))
            rows.append(
                [what, name, str(len(taken)), *(f"{one:.0f}" for one in (p50, p95, longest))]
            )
        if name == HERE:
            for who in (ALONE, AT_ONCE):
                well, hangs = (report.quantile(found[who, how], 0.5) for how in (WELL, HANGS))
                what = f"{who}, p50 while {kind}, beyond p50 while all is well"
                targets.append(Target(what, hangs - well, round(max(20, well / 2))))
    report.show("Overhead of a healthy connection's tokens", headings, rows)
    for target in targets:
        print(f"  {target}")
    path = report.write(
        "other_hangs",
        {
            **facts,
            "stack": environment.STACK,
            "overhead_ms": {
                f"{name}, {kind}, {who}, {how}": [round(one, 1) for one in taken]
                for (kind, name), found in measured.items()
                for (who, how), taken in found.items()
            },
        },
    )
    report.publish(
        "other-hangs",
        [
            f"The {environment.STACK} stack. {report.machine_in_words(facts['load'])}",
            "",
            *pages.table(headings, rows),
            "",
            *(f"- {one}" for one in targets),
        ],
    )
    print(f"\n  written to {path} and docs/PERFORMANCE.md")


if __name__ == "__main__":
    main()
