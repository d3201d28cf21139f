"""After keys of every fate have gone through a whole product, none of them lies anywhere.

The keys are known because the test plays the person and opens what was sealed to her: what the
portal keeps is ciphertext. That the search would find a key is shown with one that is planted.
"""

import base64
import contextlib
import os
import secrets
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.core import signing

from tests import environment
from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair, Person
from tests.product import Product, fresh_database, within
from tests.reliability.leaks import (
    Place,
    broker_of,
    forms,
    found_in,
    joined,
    kept_by,
    process_memory,
)
from tests.reliability.troubles import CREATE
from tests.servers import Postgres

UNCLAIMED_SECONDS = 5
OTHERS = ("teammate", "lead", "outsider", "admin")


@dataclass(slots=True)
class Engineer:
    """A person who remembers every key that she has opened."""

    person: Person
    pair: KeyPair
    keys: dict[str, str] = field(default_factory=dict)
    """By token."""

    def asks(self, reason: str = "") -> str:
        return self.person.request(
            self.pair,
            workspace=PROD,
            service_account="2",
            name=f"canary-{secrets.token_hex(4)}",
            seconds_to_live="3600",
            reason=reason,
        )

    def takes(self) -> str:
        token = self.asks()
        self.keys[token] = self.person.take(self.pair, token)
        return token

    def opens(self) -> str:
        """Open a key, and not say so."""
        token = self.asks()
        sealed = self.person.get(f"/tokens/{token}/sealed/?wait=15").json()["sealed_key"]
        self.keys[token] = self.pair.open(sealed, token)
        return token

    def ends(self, token: str) -> None:
        assert self.person.post(f"/tokens/{token}/revoke/", reason="").status_code == 302
        self.sees(token, "revoked")

    def sees(self, token: str, state: str) -> None:
        assert within(
            60, lambda: self.person.get(f"/tokens/{token}/status/").json()["state"] == state
        )


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    settings = {
        "PORTAL_LOG_LEVEL": "DEBUG",
        "PORTAL_UNCLAIMED_SECONDS": str(UNCLAIMED_SECONDS),
    }
    with contextlib.ExitStack() as stack:
        if environment.STACK == "production":
            # Its files are searched: other tests' are full of what looks like keys.
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            server = Postgres(Path(directory))
            server.start()
            stack.callback(server.stop)
            settings["DATABASE_URL"] = fresh_database(server.url)
        yield stack.enter_context(Product(**settings))


@pytest.fixture(scope="module")
def engineer(product: Product, keys: KeyPair) -> Engineer:
    """Her keys, one of each fate, have gone through the product."""
    engineer = Engineer(product.sign_in("engineer@example.com"), keys)
    unclaimed = engineer.opens()
    engineer.takes()
    engineer.ends(engineer.takes())
    engineer.ends(engineer.opens())
    for fault in (
        {"kind": "error", "when": "after"},
        {"kind": "drop", "when": "after"},
        {"kind": "truncated"},
    ):
        # The first key is in an answer that nobody could read, the second one arrives.
        product.sandbox.faults({"operation": CREATE, **fault})
        engineer.takes()
    engineer.sees(unclaimed, "revoked")
    return engineer


def pages(product: Product, engineer: Engineer) -> Iterator[Place]:
    """Every page that has to do with the keys, to everybody, error pages included."""
    people = {"engineer": engineer.person}
    people |= {name: product.sign_in(f"{name}@example.com") for name in OTHERS}
    nowhere = f"/tokens/{uuid.uuid4()}/"
    for name, person in people.items():
        for path in ("/tokens/", "/tokens/new/", "/admin/", "/metrics", "/readyz", nowhere):
            yield _page(name, person, path)
        for token in engineer.keys:
            for part in ("", "status/", "sealed/", "delivered/"):
                yield _page(name, person, f"/tokens/{token}/{part}")
            answer = person.post(f"/tokens/{token}/delivered/", fingerprint="0" * 64)
            yield f"page {name} answer {answer.status_code}", answer.content
            answer = person.http.post(f"{product.url}/tokens/{token}/revoke/", timeout=30)
            yield f"page {name} answer {answer.status_code}", answer.content


def _page(name: str, person: Person, path: str) -> Place:
    answer = person.get(path)
    return f"page {name} {path}", repr(answer.headers).encode() + answer.content


def noting(names: set[str], places: Iterator[Place]) -> Iterator[Place]:
    """The same places; their names are kept."""
    for name, content in places:
        names.add(name)
        yield name, content


def test_no_key_lies_anywhere(product: Product, engineer: Engineer) -> None:
    keys = set(engineer.keys.values())
    assert len(keys) == 7
    assert all(key.startswith("glsa_") for key in keys)
    looked_at: set[str] = set()
    assert found_in(noting(looked_at, kept_by(product)), keys) == set()
    assert looked_at >= {
        *("file run.log", "table portal_token", "table portal_auditevent", "table django_session"),
        *("memory of web", "memory of scheduler", "memory of run"),
    }
    assert found_in(pages(product, engineer), keys) == set()


def test_the_search_finds_what_is_planted_where_the_product_keeps_things(
    product: Product, engineer: Engineer
) -> None:
    """A person pastes a secret where she should not, and more lies where we put it."""
    planted = f"plant_{secrets.token_hex(20)}"
    token = engineer.asks(reason=planted)
    encoded = {name: form.decode("latin-1") for name, form in forms(planted).items()}
    (product.data_dir / "mails").mkdir(exist_ok=True)
    (product.data_dir / "mails" / "planted").write_text(f"...{encoded['hex']}...")
    with broker_of(product) as broker:
        broker.rpush("planted", base64.b64encode(f"?{planted}?".encode()))
        found = found_in(kept_by(product), [planted])
        broker.delete("planted")
    on_disk = "pg_wal" if environment.STACK == "production" else "portal.sqlite3-wal"
    places = {place for place, form in found if form == "plain"}
    assert {"table portal_token", "table portal_auditevent"} <= places
    assert any(on_disk in place for place in places)
    assert ("file mails/planted", "hex") in found
    assert ("broker b'planted'", "base64 at 1") in found
    shown = found_in([_page("engineer", engineer.person, f"/tokens/{token}/")], [planted])
    assert {form for _, form in shown} == {"plain"}


def test_the_search_finds_a_key_in_the_memory_of_a_process() -> None:
    key = f"plant_{secrets.token_hex(20)}"
    assert ("memory", "plain") in found_in([("memory", process_memory(os.getpid()))], [key])


@pytest.mark.parametrize("form", forms("glsa_x"))
def test_the_search_finds_every_form(form: str) -> None:
    key = f"glsa_{secrets.token_hex(16)}_{secrets.token_hex(4)}"
    content = b"before" + forms(key)[form] + b"behind"
    assert ("somewhere", form) in found_in([("somewhere", content)], [key])


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_the_search_finds_base64_of_whatever_a_key_stands_in(before: int, encode: object) -> None:
    key = f"glsa_{secrets.token_hex(16)}_{secrets.token_hex(4)}"
    assert callable(encode)
    content = encode(secrets.token_bytes(before) + key.encode() + secrets.token_bytes(5))
    assert found_in([("somewhere", content)], [key])


def test_the_search_finds_a_key_that_nobody_knows() -> None:
    key = f"glsa_{secrets.token_hex(16)}_{secrets.token_hex(4)}"
    assert found_in([("somewhere", f"key={key}".encode())], []) == {("somewhere", "shape")}


@pytest.mark.parametrize("compress", [False, True])
def test_the_search_finds_a_key_in_a_session(compress: bool) -> None:
    key = f"glsa_{secrets.token_hex(16)}_{secrets.token_hex(4)}"
    row = (7, signing.dumps({"key": key, "more": "x" * 400}, compress=compress))
    assert ("row", "plain") in found_in([("row", joined(row))], [key])
