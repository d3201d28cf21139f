"""What the tests of pages share: a browser that posts forms, and a token whose key is ready."""

import base64
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Protocol

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from portal import sealing
from portal.embedded.product import collect_static_files
from portal.models import State, Token, User
from tests.person import KeyPair

KEY = f"glsa_{'k' * 32}_00000000"


@pytest.fixture(scope="session", autouse=True)
def static_files() -> None:
    """The pages' static files, collected as a start of the product does it."""
    collect_static_files()


@pytest.fixture(scope="session", autouse=True)
def quiet_end() -> Iterator[None]:
    """The thread that listens for rings outlives the server: nobody reads its last words."""
    yield
    logging.disable()


@pytest.fixture(autouse=True)
def quick_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test client is a portal of its own, and would look at every static file as it starts."""
    settings.WHITENOISE_AUTOREFRESH = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.REFUSAL_SECONDS = 0
    monkeypatch.setattr(sealing, "SCRYPT_COST", 2)


class Post(Protocol):
    """Posts a form as a person; what waits for the commit happens before it returns."""

    def __call__(self, client: Client, path: str, **fields: str | list[str]) -> Any: ...


@pytest.fixture
def post(
    enqueued: list[tuple[str, str]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> Post:
    def post(client: Client, path: str, **fields: str | list[str]) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(
                path, fields, headers={"user-agent": "a browser"}, REMOTE_ADDR="192.0.2.7"
            )

    return post


@pytest.fixture
def make_sealed(make_token: Callable[..., Token]) -> Callable[..., Token]:
    """A token whose key, KEY, waits for its owner's browser."""

    def make(owner: User, **fields: Any) -> Token:
        token = make_token(
            owner,
            state=State.SEALED,
            aws_token_id="17",
            may_exist_at_aws=True,
            issued_at=timezone.now(),
            expires_at=timezone.now() + timedelta(hours=1),
            sealed_at=timezone.now(),
            sealed_key=b"-",
            fingerprint=sealing.fingerprint(KEY),
            **fields,
        )
        token.change(sealed_key=sealing.seal(KEY, bytes(token.public_key), token.pk))
        return token

    return make


def opened(keys: KeyPair, token: Token, sealed_key: str) -> str:
    """What the recipient's browser reads in the ciphertext."""
    assert base64.b64decode(sealed_key) != KEY.encode()
    return keys.open(sealed_key, str(token.pk))
