"""How long a provider takes to put a company of 10,000 people into the portal, and out of it.

Run by ``make bench``; ``PORTAL_TEST_STACK=production`` measures on PostgreSQL instead of SQLite.
Measured is the whole product, over HTTP, as Entra and Okta use it: a look for each person before
they are made, groups filled by the hundred, four requests at a time.
"""

import functools
import itertools
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from bench import report
from tests import environment
from tests.product import Product

PEOPLE = int(os.environ.get("PORTAL_BENCH_PEOPLE", "10000"))
AT_ONCE = 4
LEAVERS = 200
IN_A_PATCH = 100
WITHIN_MINUTES = 10 * 60_000.0
FILE = """
version: 1
people: [{email: admin@example.com, admin: true, auditor: true}]
teams:
  everybody: {idp_groups: [everybody], grants: []}
"""
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Provider:
    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url}/scim/v2"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._here = threading.local()

    def send(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        if not hasattr(self._here, "session"):
            self._here.session = requests.Session()
        answer = self._here.session.request(
            method, self._url + path, json=body, params=query, headers=self._headers, timeout=600
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def provision(self, number: int) -> str:
        address = f"person{number:05}@example.com"
        self.send("GET", "/Users", filter=f'userName eq "{address}"')
        said = {"userName": address, "active": True, "displayName": f"Person {number}"}
        key: str = self.send("POST", "/Users", said)["id"]
        return key

    def patch(self, resource: str, **operation: Any) -> None:
        self.send("PATCH", resource, {"schemas": [PATCH], "Operations": [operation]})

    def join(self, group: str, keys: list[str]) -> None:
        value = [{"value": key} for key in keys]
        self.patch(group, op="Add", path="members", value=value)

    def pages(self) -> Iterable[str]:
        for start in itertools.count(1, 200):
            page = self.send("GET", "/Users", startIndex=str(start))["Resources"]
            if not page:
                return
            yield from (one["id"] for one in page)


def _file(directory: str) -> Path:
    file = Path(directory) / "access.yaml"
    file.write_text(FILE)
    return file


def timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    took = (time.monotonic() - began) * 1000
    print(f"{took / 1000:.1f} s", flush=True)
    return took


def main() -> None:
    load, token, keys = report.Load(), secrets.token_urlsafe(32), list[str]()
    took: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory() as directory,
        Product(PORTAL_SCIM_TOKEN=token, PORTAL_ACCESS_FILE=str(_file(directory))) as product,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        provider = Provider(product.url, token)
        took["made, one by one"] = timed(
            lambda: keys.extend(pool.map(provider.provision, range(PEOPLE)))
        )
        group = provider.send("POST", "/Groups", {"displayName": "everybody"})["id"]
        path = f"/Groups/{group}"
        parts = [keys[at : at + IN_A_PATCH] for at in range(0, PEOPLE, IN_A_PATCH)]
        took["put into a team by the hundred"] = timed(
            lambda: list(map(functools.partial(provider.join, path), parts))
        )
        took["listed"] = timed(lambda: list(provider.pages()))
        took["one out of the group"] = timed(
            lambda: provider.patch(path, op="Remove", path=f'members[value eq "{keys[0]}"]')
        )
        half = {
            "displayName": "everybody",
            "members": [{"value": key} for key in keys[: PEOPLE // 2]],
        }
        took["half of the group out, in one request"] = timed(
            lambda: provider.send("PUT", path, half)
        )
        leavers = keys[:LEAVERS]
        took[f"{LEAVERS} people left"] = timed(
            lambda: list(
                pool.map(
                    lambda key: provider.patch(
                        f"/Users/{key}", op="Replace", path="active", value="False"
                    ),
                    leavers,
                )
            )
        )
    target = report.Target("made, one by one", took["made, one by one"], WITHIN_MINUTES)
    report.show(
        f"Provisioning of {PEOPLE:,} people ({environment.STACK})",
        ["", "seconds"],
        [(what, f"{ms / 1000:.1f}") for what, ms in took.items()],
    )
    print(target)
    written = report.write(
        f"provisioning-{environment.STACK}",
        {
            "people": PEOPLE,
            "milliseconds": took,
            "targets": [{"what": target.what, "reached": target.reached}],
            "stack": environment.STACK,
            "machine": report.machine(),
            "load": load.describe(),
        },
    )
    print(f"\nwritten to {written}")


if __name__ == "__main__":
    main()
