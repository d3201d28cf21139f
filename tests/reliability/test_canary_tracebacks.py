"""Something breaks while a worker has a key in hand: what is said about it does not hold the key.

Django's report with DEBUG on prints every local variable of every frame, chained exceptions
included: what is not in there is in no other traceback either.
"""

import json
import logging
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.views.debug import ExceptionReporter

from portal import audit, sealing, tasks
from portal.flows.issue import issue
from portal.grafana.types import Key
from portal.models import State, Token, User
from tests.grafana.sandbox_process import SandboxProcess
from tests.reliability.leaks import found_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting", "catalog")]


class BrokenError(Exception):
    """What no code of ours expects."""


def broken(*_: object, **__: object) -> Any:
    raise BrokenError("out of order")


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(engineer)


@pytest.fixture
def revealed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every key that was taken out of its wrapping."""
    reveal, keys = Key.reveal, []

    def noting_reveal(key: Key) -> str:
        keys.append(reveal(key))
        return keys[-1]

    monkeypatch.setattr(Key, "reveal", noting_reveal)
    return keys


def break_the_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside, where key and plaintext are local variables."""
    monkeypatch.setattr(sealing.padding, "OAEP", broken)


def break_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing.hashlib, "sha256", broken)


def break_the_storing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "record", broken)


breaks = pytest.mark.parametrize(
    "breaks", [break_the_seal, break_the_fingerprint, break_the_storing], ids=lambda f: f.__name__
)


def a_view_that_issues(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    issue(token_id)
    return HttpResponse("done")


def a_view_that_leaks(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    key = sealing.fingerprint(str(token_id))
    raise BrokenError(len(key))


urlpatterns = [
    path("issue/<uuid:token_id>", login_not_required(a_view_that_issues)),
    path("leak/<uuid:token_id>", login_not_required(a_view_that_leaks)),
]
handler500 = "portal.views.errors.server_error"


def page(path: str, *, debug: bool) -> bytes:
    with override_settings(ROOT_URLCONF=__name__, DEBUG=debug):
        return Client(raise_request_exception=False).get(path).content


@breaks
@pytest.mark.parametrize("debug", [True, False])
def test_an_error_page_does_not_show_the_key(
    token: Token,
    revealed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    breaks: Callable[[pytest.MonkeyPatch], None],
    debug: bool,
) -> None:
    with monkeypatch.context() as broken_for_now:
        breaks(broken_for_now)
        shown = page(f"/issue/{token.pk}", debug=debug)
    logged = "".join(capfd.readouterr()).encode()
    assert len(revealed) >= 1
    assert found_in([("page", shown), ("log", logged)], revealed) == set()


def test_djangos_own_report_would_have_shown_it(token: Token) -> None:
    secret = sealing.fingerprint(str(token.pk))
    assert found_in([("page", page(f"/leak/{token.pk}", debug=True))], [secret])
    assert not found_in([("page", page(f"/leak/{token.pk}", debug=False))], [secret])
