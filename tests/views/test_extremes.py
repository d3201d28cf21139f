"""Whatever stands in an address, a query or a form: no page breaks over it.

Every URL of the portal, with every parameter of its path, and with every name that it reads from a
query or a form: which those are, the views themselves tell, by reading them.
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.http import QueryDict
from django.test import Client
from pytest_django import Settings

from portal import audit
from portal.models import Action, AuditEvent, State, Token, User
from tests.conftest import Catalog, acting
from tests.person import KeyPair
from tests.views.rights import FIELDS, PUBLIC_KEY
from tests.views.test_rights import PARAMETER, _value, urls

pytestmark = pytest.mark.django_db(transaction=True)

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


@pytest.fixture(autouse=True)
def _without_limits(settings: Settings, enqueued: list[tuple[str, str]]) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    cache.clear()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of requests: what was logged would bury the one that broke."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Visitor:
    """A person who tries every value everywhere; what they changed is taken back each time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._client.raise_request_exception = False
        self._cookies = client.cookies.output(header="", sep=";")
        self.broken: list[str] = []

    def ask(self, method: str, path: str, fields: Mapping[str, Any]) -> int:
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


@pytest.fixture
def row(make_token: Callable[..., Token], engineer: User, lead: User) -> tuple[Token, AuditEvent]:
    token = make_token(engineer, state=State.ACTIVE)
    with transaction.atomic():
        event = audit.record(Action.TOKEN_REVOKE_REQUESTED, actor=acting(lead), token=token)
    return token, event


@pytest.fixture
def visitor(
    request: pytest.FixtureRequest, catalog: Catalog, sign_in: Callable[[User], Client], role: str
) -> Visitor:
    if role == "anonymous":
        return Visitor(Client())
    return Visitor(sign_in(request.getfixturevalue(role)))


def pages_for(role: str) -> dict[str, str]:
    """Django's admin sends everybody else to its door before it reads anything."""
    return {
        path: name
        for path, name in urls().items()
        if role == "admin" or not path.startswith("/admin/")
    }


def values_for(path: str) -> tuple[str, ...]:
    return EXTREMES if path.startswith("/admin/") else (*EXTREMES, *MOMENTS)


def filled(path: str, row: tuple[Token, AuditEvent], /, **extreme: str) -> str:
    token, event = row
    return PARAMETER.sub(
        lambda part: extreme.get(part[1]) or _value(part[1], path, token, event), path
    )


@pytest.mark.parametrize("role", ROLES)
def test_no_address_breaks_a_page(
    visitor: Visitor, row: tuple[Token, AuditEvent], role: str
) -> None:
    for path in pages_for(role):
        for parameter in PARAMETER.findall(path):
            for value in IN_A_PATH:
                visitor.ask("get", filled(path, row, **{parameter: value}), {})
                if not path.startswith("/admin/"):
                    visitor.ask("post", filled(path, row, **{parameter: value}), {})
    assert visitor.broken == []
    assert visitor.ask("get", "/tokens/", {}) == (302 if role == "anonymous" else 200)


@pytest.mark.parametrize("role", ROLES)
def test_no_query_breaks_a_page(
    visitor: Visitor, row: tuple[Token, AuditEvent], role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, url in pages_for(role).items():
        address = filled(path, row)
        usual = AUTOCOMPLETE if "autocomplete" in path else {}
        with names_read(monkeypatch) as names:
            status = visitor.ask("get", address, usual)
        if url.endswith(("_changelist", ":autocomplete")) and status == 200:
            names |= ADMINS_LISTS
        for name in sorted(names - {"csrfmiddlewaretoken"}):
            for value in values_for(path):
                visitor.ask("get", address, {**usual, name: value})
    assert visitor.broken == []
    assert visitor.ask("get", "/tokens/", {}) == (302 if role == "anonymous" else 200)


@pytest.mark.parametrize("role", ROLES)
def test_no_form_breaks_a_page(
    visitor: Visitor,
    row: tuple[Token, AuditEvent],
    keys: KeyPair,
    role: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path, url in pages_for(role).items():
        address = filled(path, row)
        usual: dict[str, str] = FIELDS.get((url, "*"), {})
        usual = {name: keys.public if said == PUBLIC_KEY else said for name, said in usual.items()}
        with names_read(monkeypatch) as names:
            visitor.ask("post", address, usual)
        for name in sorted(names - {"csrfmiddlewaretoken"}):
            for value in values_for(path):
                visitor.ask("post", address, {**usual, name: value})
    assert visitor.broken == []
    assert visitor.ask("get", "/tokens/", {}) == (302 if role == "anonymous" else 200)
