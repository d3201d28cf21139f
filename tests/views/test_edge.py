"""What stands before every page: sign-in, headers, cookies, and pages for what went wrong."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from portal.models import State, Token, User
from portal.views import tokens
from tests.product import run_python

pytestmark = pytest.mark.django_db

OPEN_TO_ALL = {
    "healthz",
    "readyz",
    "metrics",
    "accounts/login/",
    "accounts/logout/",
    "accounts/inactive/",
    "accounts/signup/",
    "accounts/confirm-email/",
    "accounts/confirm-email/x/",
    "accounts/login/code/confirm/",
    "accounts/password/reset/",
    "accounts/password/reset/done/",
    "accounts/password/reset/key/x-x/",
    "accounts/password/reset/key/done/",
}
"""What belongs to signing in, and to monitors. Everything else wants a sign-in."""
JSON = re.compile(r"tokens/[^/]+/(status|sealed|delivered)/")


@dataclass(slots=True)
class World:
    """People at their browsers, and a token of the engineer's."""

    engineer: Client
    teammate: Client
    anonymous: Client
    careful: Client
    """The engineer's, with CSRF protection on as in real life."""
    token: Token

    @property
    def page(self) -> str:
        return f"/tokens/{self.token.pk}/"


@pytest.fixture
def world(
    engineer: User,
    teammate: User,
    sign_in: Callable[[User], Client],
    make_token: Callable[..., Token],
    enqueued: list[tuple[str, str]],
) -> World:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(engineer)
    return World(
        engineer=sign_in(engineer),
        teammate=sign_in(teammate),
        anonymous=Client(),
        careful=careful,
        token=make_token(engineer, state=State.ACTIVE),
    )


# -- Who comes in -------------------------------------------------------------------------------


def every_path(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """One path for each address that the portal knows, with something made up for its variables."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from every_path(pattern, route)
        elif isinstance(pattern, URLPattern):
            route = re.sub(r"<uuid:\w+>", str(uuid.UUID(int=7)), route)
            route = re.sub(r"<path:\w+>", "1", route)
            route = route.replace("(?P<app_label>portal", "(?P<app_label>portal)").split("|")[0]
            yield re.sub(r"\(\?P<app_label>(\w+)\)+", r"\1/", re.sub(r"\(\?P<(?!app_label)\w+>[^()]+\)", "x", route)).replace("^", "").replace("$", "")


PATHS = sorted(set(every_path(get_resolver())))


@pytest.mark.parametrize("path", [path for path in PATHS if path not in OPEN_TO_ALL])
def test_the_anonymous_are_sent_to_sign_in_and_brought_back(path: str) -> None:
    for ask in (Client().get, Client().post, Client(enforce_csrf_checks=True).post):
        answer = ask(f"/{path}")
        if JSON.fullmatch(path):
            assert answer.status_code == 401
        else:
            assert answer.status_code == 302
            assert answer.headers["Location"] == f"/accounts/login/?next=/{path}"
