"""Extreme values, and people who try them everywhere: what the walks over every URL share.

Every URL of the portal, with every parameter of its path, and with every name that it reads from a
query or a form: which those are, the views themselves tell, by reading them.

People whom a page answers alike (the same status, the same names read) share its values between
them: each value is tried on each name of each page by one of them at least, each of them tries some
of each, and whoever is answered otherwise tries them all.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from itertools import cycle
from typing import Any

import pytest
from django.db import transaction
from django.http import QueryDict
from django.test import Client

from portal.models import AuditEvent, Token
from tests.person import KeyPair
from tests.views.rights import FIELDS, PUBLIC_KEY
from tests.views.test_rights import PARAMETER, _value, urls

ROLES = ("anonymous", "outsider", "teammate", "engineer", "lead", "auditor", "admin")

LONG = "x" * 100_000
EXTREMES = (
    *("-1", str(2**63), "9" * 5000, "\0", "\u202e\U0010ffff\u0660", "%_\\'\"", LONG, "% " * 50_000),
)
MOMENTS = (
    *(
        "0001-01-01",
        "9999-12-31",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "9999d",
    ),
)
IN_A_PATH = (
    *("0", str(2**31), str(2**63 - 1), str(2**63), "9" * 5000, "-", "zzzzzzzzzzzzz-1"),
    *(str(uuid.UUID(int=0)), "%00", "%FF", "x" * 5000),
)
ADMINS_LISTS = {
    *("q", "p", "o", "e", "all", "_popup", "_to_field", "_facets", "_changelist_filters"),
    *("state__exact", "action__exact", "approval__exact", "suspended_at__isempty"),
    *("term", "app_label", "model_name", "field_name"),
}
"""What Django's lists take from a query by iterating over it."""

AUTOCOMPLETE = {"app_label": "portal", "model_name": "grant", "field_name": "workspace"}
PARTS = 4
"""Of the URLs: each is a test of its own, so that none takes minutes."""


class Visitor:
    """A person who tries values; what they changed is taken back each time."""

    def __init__(self, role: str, client: Client) -> None:
        self.role = role
        self._client = client
        self._client.raise_request_exception = False
        self._cookies = client.cookies.output(header="", sep=";")
        self.tried = 0
        self.broken: list[str] = []

    def ask(self, method: str, path: str, fields: Mapping[str, Any]) -> int:
        self.tried += 1
        with transaction.atomic():
            answer = getattr(self._client, method)(path, fields)
            if answer.streaming:
                b"".join(answer)
            transaction.set_rollback(True)
        self._client.cookies = SimpleCookie(self._cookies)
        if answer.status_code >= 500 and answer.status_code != 503:
            said = {name: str(value)[:40] for name, value in fields.items()}
            self.broken.append(f"{answer.status_code} {method} {path[:100]} {said}")
        return int(answer.status_code)


@dataclass(slots=True)
class Alike:
    """People whom a page answers alike, who take turns; ``names`` are what it reads of theirs."""

    names: frozenset[str]
    status: int
    people: list[Visitor] = field(default_factory=list)


@contextmanager
def names_read(patch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The names that are looked up in queries and forms meanwhile."""
    found: set[str] = set()
    with patch.context() as watching:
        for method in ("__getitem__", "getlist", "__contains__"):
            original = getattr(QueryDict, method)

            def reading(
                query: QueryDict,
                name: str,
                *more: Any,
                original: Callable[..., Any] = original,
                **also: Any,
            ) -> Any:
                found.add(name)
                return original(query, name, *more, **also)

            watching.setattr(QueryDict, method, reading)
        yield found


class Walk:
    """Everybody, a token and an event, and the URLs of one part."""

    def __init__(
        self,
        visitors: list[Visitor],
        row: tuple[Token, AuditEvent],
        keys: KeyPair,
        patch: pytest.MonkeyPatch,
    ) -> None:
        self.visitors, self.row, self.keys, self._patch = visitors, row, keys, patch

    def urls(self, part: int) -> Iterator[tuple[str, str]]:
        return (url for n, url in enumerate(urls().items()) if n % PARTS == part)

    def who_comes_to(self, path: str) -> list[Visitor]:
        """Django's admin sends everybody else to its door before it reads anything."""
        is_admins = path.startswith("/admin/")
        return [one for one in self.visitors if one.role == "admin" or not is_admins]

    def answered_alike(
        self, method: str, path: str, address: str, usual: Mapping[str, str]
    ) -> list[Alike]:
        """Ask as everybody, without anything extreme, and group them by what comes of it."""
        groups: dict[tuple[int, frozenset[str]], Alike] = {}
        for visitor in self.who_comes_to(path):
            with names_read(self._patch) as names:
                status = visitor.ask(method, address, usual)
            key = status, frozenset(names - {"csrfmiddlewaretoken"})
            groups.setdefault(key, Alike(key[1], status)).people.append(visitor)
        return list(groups.values())

    def try_all(
        self, group: Alike, method: str, address: str, usual: Mapping[str, str], path: str
    ) -> None:
        """Every value on every name, taking turns."""
        values = EXTREMES if path.startswith("/admin/") else (*EXTREMES, *MOMENTS)
        turns = cycle(group.people)
        for name in sorted(group.names):
            if len(values) % len(group.people) == 0:
                next(turns)  # else the same person would have the same value on each name
            for value in values:
                next(turns).ask(method, address, {**usual, name: value})

    def try_in_path(self, group: Alike, method: str, path: str) -> None:
        """Every value in the place of every parameter, taking turns."""
        turns = cycle(group.people)
        for parameter in PARAMETER.findall(path):
            for value in IN_A_PATH:
                next(turns).ask(method, self.filled(path, **{parameter: value}), {})

    def filled(self, path: str, /, **extreme: str) -> str:
        token, event = self.row
        return PARAMETER.sub(
            lambda part: extreme.get(part[1]) or _value(part[1], path, token, event), path
        )

    def usual_form(self, url: str) -> dict[str, str]:
        form: dict[str, str] = FIELDS.get((url, "*"), {})
        return {
            name: self.keys.public if said == PUBLIC_KEY else said for name, said in form.items()
        }

    def assert_whole(self) -> None:
        """Nothing broke, everybody tried something, and the portal still answers them."""
        broken = [one for visitor in self.visitors for one in visitor.broken]
        assert not broken, broken
        for visitor in self.visitors:
            assert visitor.tried > 0
            expected = 302 if visitor.role == "anonymous" else 200
            assert visitor.ask("get", "/tokens/", {}) == expected
