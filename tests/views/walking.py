"""Everybody, signed in once, for the walks over every URL."""

import logging
from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from pytest_django import Settings

from portal import audit
from portal.models import Action, State, Token, User
from tests.conftest import Catalog, acting
from tests.person import KeyPair
from tests.views.extremes import ROLES, Visitor, Walk


@pytest.fixture
def walk(
    request: pytest.FixtureRequest,
    settings: Settings,
    enqueued: list[tuple[str, str]],
    catalog: Catalog,
    make_token: Callable[..., Token],
    sign_in: Callable[[User], Client],
    keys: KeyPair,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Walk]:
    settings.ACCOUNT_RATE_LIMITS = False
    cache.clear()
    people = {role: request.getfixturevalue(role) for role in ROLES[1:]}
    token = make_token(people["engineer"], state=State.ACTIVE)
    with transaction.atomic():
        event = audit.record(
            Action.TOKEN_REVOKE_REQUESTED, actor=acting(people["lead"]), token=token
        )
    visitors = [Visitor("anonymous", Client())]
    visitors += [Visitor(role, sign_in(person)) for role, person in people.items()]
    # Thousands of requests: what was logged would bury the one that broke.
    logging.disable(logging.CRITICAL)
    yield Walk(visitors, (token, event), keys, monkeypatch)
    logging.disable(logging.NOTSET)
