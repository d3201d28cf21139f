"""The table of tests/views/rights.py, cell by cell, and that no URL is missing from it."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from portal import audit
from portal.models import Action, AuditEvent, Membership, Role, State, Team, Token, User
from tests.conftest import acting
from tests.person import KeyPair
from tests.views.conftest import Post
from tests.views.rights import FIELDS, PUBLIC_KEY, ROLES, Right, rights

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
REGEX_PARAMETER = re.compile(r"\(\?P<(\w+)>[^)]*\)")


def urls() -> dict[str, str]:
    """Every URL of the portal: its path with its parameters in ``<>``, and its name."""

    def walk(resolver: URLResolver, before: str, namespace: str) -> Iterator[tuple[str, str]]:
        for pattern in resolver.url_patterns:
            path = before + REGEX_PARAMETER.sub(r"<\1>", str(pattern.pattern)).strip("^$")
            if isinstance(pattern, URLResolver):
                inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
                yield from walk(pattern, path, inner)
            else:
                # Django's admin names neither its redirects nor its catch-all.
                yield path, f"{namespace}{pattern.name or path[path.rindex('<') :].rstrip('/')}"

    found: dict[str, str] = {}
    for path, name in walk(get_resolver(), "/", ""):
        found.setdefault(path, name)  # as Django does, which takes the first
    return found


def cells() -> dict[tuple[str, str, str, str], Right]:
    """What the table says, for each method, path, object and role: the first row that fits."""
    found: dict[tuple[str, str, str, str], Right] = {}
    for right in rights():
        for path, name in urls().items():
            if fnmatchcase(name, right.url):
                found.setdefault((right.method, path, right.kind, right.role), right)
    return found


def test_every_url_is_in_the_table() -> None:
    patterns = {right.url for right in rights()}
    missing = {name for name in urls().values() if not any(fnmatchcase(name, p) for p in patterns)}
    assert missing == set()


def test_every_row_is_of_a_url() -> None:
    assert set(rights()) - set(cells().values()) == set()


@pytest.fixture
def people(
    engineer: User,
    teammate: User,
    lead: User,
    outsider: User,
    auditor: User,
    admin: User,
    mobile: Team,
) -> dict[str, User]:
    other_lead = User.objects.create_user("other-lead@example.com")
    Membership.objects.create(user=other_lead, team=mobile, role=Role.LEAD)
    User.objects.update(password=make_password("correct horse"))
    everybody = (outsider, other_lead, teammate, engineer, engineer, lead, auditor, admin)
    for person in everybody:
        person.refresh_from_db()
    return dict(zip(ROLES[1:], everybody, strict=True))


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Callable[[str], Token]:
    """The engineer's token in a state; an active one where the state does not matter."""

    def make(kind: str) -> Token:
        state = State(kind) if kind in State.values else State.ACTIVE
        return make_token(
            engineer,
            state=state,
            lease_until=timezone.now() + timedelta(seconds=45) if state == State.ISSUING else None,
            sealed_key=b"ciphertext" if state == State.SEALED else None,
        )

    return make


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("right", "path"),
    [
        pytest.param(right, path, id=" ".join((role, method, path, kind)))
        for (method, path, kind, role), right in cells().items()
    ],
)
def test_a_cell_of_the_table(
    right: Right,
    path: str,
    people: dict[str, User],
    token: Callable[[str], Token],
    post: Post,
    platform: Team,
    keys: KeyPair,
    sign_in: Callable[[User], Client],
) -> None:
    row = token(right.kind)
    with transaction.atomic():
        event = audit.record(Action.TOKEN_REVOKE_REQUESTED, actor=acting(people["lead"]), token=row)
    if right.kind == "closed":
        Team.objects.filter(pk=platform.pk).update(closed_at=timezone.now())
    if right.role == "left":
        people["left"].memberships.all().delete()
    client = Client() if right.role == "anonymous" else sign_in(people[right.role])
    address = PARAMETER.sub(lambda part: _value(part[1], path, row, event), path)
    if right.method == "POST":
        fields = FIELDS.get((right.url, right.kind)) or FIELDS.get((right.url, "*"), {})
        sent = {name: keys.public if it == PUBLIC_KEY else it for name, it in fields.items()}
        answer: Any = post(client, address, **sent)
    else:
        answer = client.get(address, QUERY.get(right.url, {}))
    assert answer.status_code == right.status
    if right.status in (401, 403, 404):
        row_after = Token.objects.values().get(pk=row.pk)
        assert {name: row_after[name] for name in ("state", "ended_by", "end_reason")} == {
            "state": row.state, "ended_by": "", "end_reason": "",
        }  # fmt: skip
        others = AuditEvent.objects.exclude(action=Action.SIGNIN_FAILED)
        assert others.count() == 1, "a refusal does nothing"


QUERY = {
    "token-name": {"workspace": "g-00000000a1", "name": "ci"},
    "token-accounts": {"workspace": "g-00000000a1"},
}


def _value(parameter: str, path: str, token: Token, event: AuditEvent) -> str:
    """What stands in an address for a parameter of its path."""
    match parameter:
        case "token_id":
            return str(token.pk)
        case "slug":
            return token.team.slug
        case "first" | "last" | "seq":
            return str(event.seq)
        case "object_id":
            models = {model._meta.model_name: model for model in site._registry}
            row = models.get(path.split("/")[3], User)._default_manager.first()
            return str(row.pk) if row else "0"
        case "app_label":
            return "portal"
        case _:
            return "1"
