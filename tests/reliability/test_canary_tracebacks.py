"""Something breaks while a worker has a key in hand: what is said about it does not hold the key.

Django's report with DEBUG on prints every local variable of every frame, chained exceptions
included: what is not in there is in no other traceback either.
"""

import base64
import json
import secrets
import traceback
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.handlers.exception import response_for_exception
from django.test import RequestFactory, override_settings

from portal import audit, sealing, tasks
from portal.celery import app as celery_app
from portal.embedded.product import collect_static_files
from portal.flows.issue import issue
from portal.grafana.types import Key
from portal.models import State, Token, User
from tests.conftest import asked_for
from tests.grafana.sandbox_process import SandboxProcess
from tests.person import KeyPair
from tests.reliability.leaks import found_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting", "catalog")]


class BrokenError(Exception):
    """What no code of ours expects."""


def broken(*_: object, **__: object) -> Any:
    raise BrokenError("out of order")


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return asked_for(make_token(engineer))


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
    monkeypatch.setattr("portal.sealing.padding.OAEP", broken)


def break_the_storing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "record", broken)


breaks = pytest.mark.parametrize(
    "breaks", [break_the_seal, break_the_storing], ids=["sealing", "storing"]
)


@pytest.fixture(autouse=True)
def static_files() -> None:
    """What an error page links to."""
    collect_static_files()


def page_of(act: Callable[[], object], *, debug: bool) -> bytes:
    """What a person would be shown if ``act`` raised in a view; the traceback, if it did in a task.

    Empty if it does not raise.
    """
    try:
        act()
    except BrokenError as error:
        with override_settings(DEBUG=debug):
            page = response_for_exception(RequestFactory().get("/tokens/"), error).content
        return bytes(page) + "".join(traceback.format_exception(error)).encode()
    return b""


@breaks
@pytest.mark.parametrize("debug", [True, False])
def test_what_breaks_while_a_key_is_in_hand_does_not_tell_it(
    token: Token,
    revealed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    breaks: Callable[[pytest.MonkeyPatch], None],
    debug: bool,
) -> None:
    breaks(monkeypatch)
    page = page_of(lambda: issue(token.pk), debug=debug)
    log = "".join(capfd.readouterr()).encode()
    assert revealed
    assert found_in([("page", page), ("log", log)], revealed) == set()


def test_a_report_with_debug_on_tells_whatever_a_frame_holds(
    keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it would have told the key, had sealing let its exception out."""
    secret = f"plant_{secrets.token_hex(20)}"
    der = base64.b64decode(keys.public)
    break_the_seal(monkeypatch)
    page = page_of(lambda: sealing.seal(secret, der, uuid.uuid4()), debug=True)
    assert found_in([("page", page)], [secret]) == {("page", "plain")}


def test_a_key_that_breaks_the_seal_is_deleted_at_aws(
    token: Token, aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_the_seal(monkeypatch)
    issue(token.pk)
    token.refresh_from_db()
    assert (token.state, token.error_code) == (State.FAILED, "CannotSeal")
    assert aws.live_tokens(name=token.name) == []
    assert not token.may_exist_at_aws


def test_a_message_to_a_worker_holds_an_id_and_nothing_else(token: Token) -> None:
    """Celery writes arguments into a message's headers, too, in clear."""
    queue = celery_app.conf.task_default_queue
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as broker:
        broker.delete(queue)
        tasks.issue_token.delay(str(token.pk))
        [message] = broker.lrange(queue, 0, -1)
        broker.delete(queue)
    headers = json.loads(message)["headers"]
    assert (headers["argsrepr"], headers["kwargsrepr"]) == (f"('{token.pk}',)", "{}")
    arguments, options, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    assert (arguments, options) == ([str(token.pk)], {})
    assert not celery_app.conf.worker_send_task_events
    assert celery_app.conf.result_backend is None
