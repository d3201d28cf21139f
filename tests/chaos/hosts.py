"""Two hosts with one PostgreSQL and one Valkey, under load: cut off, killed, brought back, rolled.

``make hosts`` (root): people ask for tokens through deploy/nginx.conf.example, while one host's
cable is pulled, while the other loses power, and while both go from the version before to this one.
No request may be lost, no token left at AWS that nobody has, and no answer 5xx but to what was
under way on a host that was cut off or killed. Writes its table into docs/RELIABILITY.md.
"""

import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import requests
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests import pages
from tests.chaos import network
from tests.chaos.network import HERE, Host
from tests.chaos.visitors import Ledger, Visitor
from tests.grafana.certificates import Certificate, self_signed
from tests.person import Person
from tests.product import ROOT, clean_environment, within
from tests.reliability.matrix import CREATE
from tests.servers import Postgres, Redis
from tests.upgrade.installation import BEFORE, BIN, Installation, commit_tree

PEOPLE = 10
PASSWORD = "correct horse battery staple"
AWS_MS = 150.0
AWS_PORT = 9400
MAY_MEET = {"cut off": 504, "killed": 502}
"""Phases in which what was under way on the host that is gone has no answer; as nginx says it."""
ACCESS = """
version: 1
connections: {{main: {{region: eu-west-1}}}}
people: [{{email: admin@example.com, admin: true}}]
teams: {teams}
"""
BEFORE_AWS = """
server {{ listen {here}:{port}; location / {{
    proxy_pass {url}; proxy_http_version 1.1; proxy_set_header Host $http_host;
}} }}
"""
"""The sandbox is steered from its own machine alone, and so it listens there."""
TEAM = """
  platform:
    members: [{members}]
    grants: [{{workspace: "*"}}]
"""


class TwoHosts(Installation):
    """The installation of tests/upgrade, with its processes on hosts of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.postgres = Postgres(self.directory, HERE)
        self.redis = Redis(address=HERE)
        self.directory.chmod(0o755)
        self.certificate: Certificate = self_signed(self.directory, HERE)
        self.hosts = [Host("one", 11), Host("two", 12)]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            "PORTAL_ORIGIN": f"https://{HERE}",
            "ALLOWED_HOSTS": HERE,
            "PORTAL_TRUSTED_PROXIES": "1",
            "PORTAL_RATE_LIMITS": "off",
            "PORTAL_TOKEN_QUOTA": "100000",
            "PORTAL_STEP_UP_SECONDS": "86400",
            "PORTAL_MONITOR_TOKEN": "only these hosts know it",
            "AWS_ENDPOINT_URL_GRAFANA": f"http://{HERE}:{AWS_PORT}",
            "NO_PROXY": HERE,
        }

    def _environment_of(self, name: str) -> dict[str, str]:
        """Each host has its own static files."""
        static = str(self.directory / f"static-{name.partition('-')[0]}")
        return {**clean_environment(), **self.environment, "PORTAL_STATIC_ROOT": static}

    def serve(self, host: Host, tree: Path) -> None:
        """Its three processes, as its units start them."""
        subprocess.run(
            [sys.executable, "manage.py", "collectstatic", "--no-input", "-v", "0"],
            cwd=tree,
            env=self._environment_of(host.name),
            check=True,
            timeout=120,
        )
        configuration = str(tree / "deploy" / "gunicorn.conf.py")
        web = (str(BIN / "gunicorn"), "--bind", "0.0.0.0:8000", "--config", configuration)
        for name, command in {
            "web": web,
            "worker": (str(BIN / "celery"), "--quiet", "-A", "portal", "worker"),
            "scheduler": (sys.executable, "manage.py", "sweep", "--every", "2"),
        }.items():
            self.start(tree, f"{host.name}-{name}", *host.command(*command))

    def is_ready(self, host: Host) -> bool:
        token = {"Authorization": f"Bearer {self.environment['PORTAL_MONITOR_TOKEN']}"}
        try:
            answer = requests.get(f"http://{host.address}:8000/readyz", headers=token, timeout=5)
        except requests.RequestException:
            return False
        return answer.status_code == 200

    def stop_host(self, host: Host) -> None:
        self.stop(*(f"{host.name}-{name}" for name in ("web", "worker", "scheduler")))

    def kill(self, host: Host) -> None:
        host.kill()
        for name in ("web", "worker", "scheduler"):
            self._running.pop(f"{host.name}-{name}").wait()

    def find(self, name: str) -> str | None:
        found = self.rows("SELECT id FROM portal_token WHERE name = %s", name)
        return str(found[0][0]) if found else None

    def start_proxy(self) -> None:
        text = (ROOT / "deploy" / "nginx.conf.example").read_text()
        for example, host in zip(("10.0.0.1:", "10.0.0.2:"), self.hosts, strict=True):
            text = text.replace(example, f"{host.address}:")
        text = text.replace("/etc/ssl/tokens.example.com.pem", str(self.certificate.bundle))
        key = self.certificate.bundle.with_name("key.pem")
        text = text.replace("/etc/ssl/private/tokens.example.com.key", str(key))
        said = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True)
        [(major, minor)] = re.findall(r"nginx/(\d+)\.(\d+)", said.stderr)
        if (int(major), int(minor)) < (1, 25):
            text = text.replace("    http2 on;\n", "").replace("443 ssl;", "443 ssl http2;")
        text += BEFORE_AWS.format(here=HERE, port=AWS_PORT, url=self.aws.url)
        names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = "".join(f"{name}_temp_path {self.directory}/{name};" for name in names)
        head = f"daemon off; pid {self.directory}/pid; error_log stderr; worker_processes 1;\n"
        file = self.directory / "nginx.conf"
        file.write_text(f"{head}events {{}}\nhttp {{ access_log off; {places}\n{text}\n}}\n")
        self.start(ROOT, "proxy", "/usr/sbin/nginx", "-c", str(file), "-p", str(self.directory))

    def people(self) -> list[str]:
        return [f"person-{number:02}@example.com" for number in range(PEOPLE)]

    def begin(self, tree: Path) -> None:
        """The schema, the catalog, the people, as the version before makes them."""
        self.manage(tree, "migrate", "--no-input", "-v", "0")
        self.apply_access(tree, ACCESS.format(teams="{}"))
        self.manage(tree, "sync_catalog")
        team = TEAM.format(members=", ".join(self.people()))
        self.apply_access(tree, ACCESS.format(teams=team))
        encoded = PBKDF2PasswordHasher().encode(PASSWORD, "one salt for all of them")
        with psycopg.connect(self.postgres.url, autocommit=True) as database:
            database.execute("UPDATE portal_user SET password = %s", [encoded])


def play(here: TwoHosts, ledger: Ledger, old: Path) -> None:
    one, two = here.hosts

    def phase(name: str, seconds: float) -> None:
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
        ledger.phase = name
        time.sleep(seconds)

    def ready(host: Host) -> None:
        began = time.monotonic()
        assert within(300, lambda: here.is_ready(host)), here.log(f"{host.name}-web")[-9000:]
        print(f"{host.name} is ready after {time.monotonic() - began:.0f} s", flush=True)

    phase("nothing happens", 20)
    one.cut_off()
    phase("cut off", 60)
    one.bring_back()
    phase("back on the network", 20)
    here.kill(two)
    phase("killed", 60)
    here.serve(two, old)
    ready(two)
    phase("started again", 20)
    ledger.phase = "migrating"
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "-v", "0"],
        cwd=ROOT,
        env=here._environment_of("migrate"),
        check=True,
        timeout=900,
    )
    phase("the new schema under the version before", 20)
    for host, name in ((one, "the first host rolled"), (two, "the second host rolled")):
        ledger.phase = name
        here.stop_host(host)
        here.serve(host, ROOT)
        ready(host)
        phase(name, 20)


def reckon(here: TwoHosts, ledger: Ledger) -> list[str]:
    """What must not be: empty where all is well."""
    wrong = [f"lost: {one}" for one in ledger.lost]
    rows = here.rows("SELECT id::text, name, state FROM portal_token")
    wrong += [
        f"{name} is {state}"
        for pk, name, state in rows
        if pk in ledger.delivered and state != "active"
    ]
    wrong += [f"{name} ended as {state}" for _, name, state in rows if state == "failed"]
    held = {name for pk, name, _ in rows if pk in ledger.delivered}
    wrong += [
        f"{token['name']} lives at AWS, and nobody has its key"
        for token in here.aws.live_tokens()
        if token["name"].startswith("two-hosts") and token["name"] not in held
    ]
    wrong += [
        f"{one.phase}: {one.what} was answered {one.status} after {one.seconds:.1f} s"
        for one in ledger.troubles
        if one.phase not in MAY_MEET
    ]
    return wrong


def told(ledger: Ledger, order: Callable[[str], int]) -> Iterator[str]:
    headings = ("meanwhile", "keys", "p50 s", "longest s", "answers", "answers 5xx, or none")
    rows = []
    for phase in sorted(ledger.answers, key=order):
        waited = sorted(ledger.waited.get(phase, [])) or [0.0]
        troubles = Counter(one.status or "none" for one in ledger.troubles if one.phase == phase)
        said = ", ".join(f"{number} times {status}" for status, number in troubles.items()) or "0"
        middle = f"{statistics.median(waited):.1f}"
        rows.append((phase, len(waited), middle, f"{waited[-1]:.1f}", ledger.answers[phase], said))
    return pages.table(headings, rows)


def main() -> int:
    network.lay()
    with TwoHosts() as here:
        old = commit_tree(BEFORE, here.directory)
        for host in here.hosts:
            host.connect()
        here.start_proxy()
        here.begin(old)
        here.aws.settings(token_quota=100_000, latency_ms={CREATE: AWS_MS})
        for host in here.hosts:
            here.serve(host, old)
        assert within(90, lambda: all(map(here.is_ready, here.hosts))), here.log("one-web")
        ledger = Ledger(phase="nothing happens")
        visitors = []
        for number, email in enumerate(here.people()):
            person = Person(f"https://{HERE}")
            person.http.verify = str(here.certificate.bundle)
            person.http.headers["Referer"] = f"https://{HERE}/"
            person.sign_in(email, PASSWORD)
            visitors.append(Visitor(person, ledger, here.find, number))
        for visitor in visitors:
            visitor.start()
        try:
            play(here, ledger, old)
        finally:
            ledger.over = True
            for visitor in visitors:
                visitor.join(400)
        wrong = reckon(here, ledger)
        phases = list(dict.fromkeys(ledger.answers))
        lines = [*told(ledger, phases.index), ""]
        lines += [
            f"Lost: {len(ledger.lost)}; tokens at AWS that nobody has: "
            f"{sum('lives at AWS' in one for one in wrong)}."
        ]
        print("\n".join([*lines, *wrong]))
        if not ledger.lost:
            pages.write(pages.DOCS / "RELIABILITY.md", "hosts", lines, command="make hosts")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
