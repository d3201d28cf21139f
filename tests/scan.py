"""Has wapiti attack every page as each role, on the embedded default; not part of ``make test``.

    python3 -m venv /tmp/wapiti && /tmp/wapiti/bin/pip install wapiti3
    .venv/bin/python -m tests.scan --wapiti /tmp/wapiti/bin/wapiti [--seconds 240] [ROLE ...]

Each role has a product of its own, since the scanner posts whatever it finds. What it reports is
written to ``var/scan/``; whatever docs/ASVS.md does not explain (EXPLAINED) fails it. The scanner
speaks to the loopback address alone; so that no webhook that it enters is called either, give it a
network of its own: ``unshare --net sh -c 'ip link set lo up && .venv/bin/python -m tests.scan'``.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.person import KeyPair, Person
from tests.product import ROOT, Product, clean_environment, run_python

ROLES = ("anonymous", "engineer", "teammate", "lead", "outsider", "admin")
MODULES = (
    *("backup", "cookieflags", "crlf", "csp", "csrf", "exec", "file", "htaccess"),
    *("http_headers", "ldap", "methods", "permanentxss", "redirect", "shellshock", "sql"),
    *("timesql", "upload", "xss"),
)
"""All that ask no server of the scanner's own, and look for no other product's faults."""
WITH_A_QUERY = (
    *("/audit/?as_of=2026-01-01", "/accounts/oidc/sso/login/callback/?state=x&code=y"),
    *("/tokens/accounts/?workspace=g-1", "/tokens/name/?workspace=g&name=n", "/scim/v2/Users"),
)
ALL_PATHS = """
import json, django; django.setup()
from tests.views.every_path import PATHS
print(json.dumps([path for path in PATHS if path == "admin/" or not path.startswith("admin/")]))
"""
"""Of Django's admin the scanner finds the pages by their links."""
LEFT_OUT = (
    *("/accounts/logout/", "/admin/logout/", "/accounts/sessions/end/", "/static/*"),
    *("/accounts/password/change/", "/accounts/2fa/*/add/", "/accounts/2fa/*/activate/"),
)
"""What would end the scanner's own session, or lock it out."""
EXPLAINED = {
    "Secure flag is not set": "the embedded default is http on this machine (views/test_edge.py)",
}
"""By a part of what the scanner says: docs/ASVS.md, "A scanner", tells why."""


class Finding(NamedTuple):
    kind: str
    method: str
    path: str
    says: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wapiti", default="wapiti", help="the program")
    parser.add_argument(
        "--seconds",
        type=int,
        default=240,
        help="to find pages; an eighth of it for each kind of attack",
    )
    parser.add_argument("roles", nargs="*", default=ROLES)
    asked = parser.parse_args()
    unexplained = 0
    for role in asked.roles:
        found = list(scan(role, asked.wapiti, asked.seconds))
        print(f"{role}: {len(found)} findings", flush=True)
        for one in found:
            why = next((why for part, why in EXPLAINED.items() if part in one.says), "")
            unexplained += not why
            print(f"  {one.kind}: {one.method} {one.path}: {one.says}: {why or 'UNEXPLAINED'}")
    return 1 if unexplained else 0


def scan(role: str, wapiti: str, seconds: int) -> Iterator[Finding]:
    report = ROOT / "var" / "scan" / f"{role}.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    settings = {"PORTAL_RATE_LIMITS": "off", "PORTAL_SCIM_TOKEN": uuid.uuid4().hex}
    with Product(**settings) as product, tempfile.TemporaryDirectory() as scratch:
        tokens = _tokens(product)
        pages = list(_every_page(tokens[0]))
        pages += [f"/tokens/{one}/" for one in tokens] + [f"/audit/tokens/{one}/" for one in tokens]
        person = Person(product.url)
        if role != "anonymous":
            person = product.sign_in(f"{role}@example.com")
        cookies = "; ".join(f"{one.name}={one.value}" for one in person.http.cookies)
        command = [
            *(wapiti, "-u", f"{product.url}/", "--scope", "folder", "-m", ",".join(MODULES)),
            *("--max-scan-time", str(seconds), "--max-attack-time", str(seconds // 8)),
            *("--flush-session", "--store-session", scratch, "--store-config", scratch),
            *("--no-bugreport", "-v", "2", "-f", "json", "-o", str(report), "-t", "20"),
            *("-d", "3", "--max-links-per-page", "60", "--tasks", "2"),
            *(part for page in pages for part in ("-s", f"{product.url}{page}")),
            *(part for page in LEFT_OUT for part in ("-x", f"{product.url}{page}")),
            *(("-C", cookies) if cookies else ()),
        ]
        environment = clean_environment() | {"HOME": scratch}
        asked = report.with_suffix(".log")
        with asked.open("w") as output:
            subprocess.run(command, check=True, timeout=seconds * 5, env=environment, stdout=output)
        if role != "anonymous" and "/accounts/login/?next=%2Ftokens%2F" in asked.read_text():
            yield Finding("No session", "GET", "/tokens/", "the scanner was not signed in")
        if role != "anonymous" and person.get("/tokens/").status_code != 200:
            print(f"{role}: the scanner has lost its session on the way", file=sys.stderr)
        report.with_suffix(".product.log").write_text(product.log())
        for line in product.log().splitlines():
            if "Internal Server Error" in line or "Traceback" in line:
                yield Finding("Server error", "", "", line[:300])
    yield from _told(json.loads(report.read_text()))


def _told(said: dict[str, Any]) -> Iterator[Finding]:
    for group in ("vulnerabilities", "anomalies"):
        for kind, found in said.get(group, {}).items():
            for one in found:
                yield Finding(kind, str(one["method"]), str(one["path"]), str(one["info"]))


def _every_page(token: str) -> Iterator[str]:
    """Every address that the portal knows: of a token and of a team that there are."""
    with tempfile.TemporaryDirectory() as scratch:
        done = run_python(ALL_PATHS, Path(scratch))
    for path in json.loads(done.stdout):
        made_up = re.sub("^team/1/", "team/platform/", path)
        yield "/" + re.sub("00000000-0000-0000-0000-[0-9]{12}", token, made_up)
    yield from WITH_A_QUERY


def _tokens(product: Product) -> list[str]:
    """Two that the engineer has asked for."""
    engineer = product.sign_in("engineer@example.com")
    tokens = []
    for workspace, account in _places(engineer):
        keys = KeyPair()
        wish = {"workspace": workspace, "service_account": account, "name": uuid.uuid4().hex[:12]}
        tokens.append(engineer.request(keys, **wish, seconds_to_live="3600", reason="a scan"))
    return tokens


def _places(person: Person) -> list[tuple[str, str]]:
    """The first workspace, and two accounts there that the person may ask for."""
    [workspace, *_] = (one["value"] for one in person.get("/tokens/workspaces/").json()["options"])
    said = person.get(f"/tokens/accounts/?workspace={workspace}").json()
    return [(workspace, one["id"]) for one in said["accounts"] if not one["obstacle"]][:2]


if __name__ == "__main__":
    sys.exit(main())
