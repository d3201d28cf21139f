"""A public key that others can open is refused wherever one enters, and its page says so."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from django.utils.html import escape

from portal.models import State, Token, User
from tests.person import KeyPair

pytestmark = pytest.mark.django_db

WEAK = {
    "2,048 bits": "has 2048 bits; 3072 to 4096 are accepted",
    "an even modulus": "weak: its modulus is even",
    "a small prime factor": "weak: its modulus has a prime factor below 65536",
}


@pytest.fixture(params=WEAK)
def weak(request: pytest.FixtureRequest, keys: KeyPair) -> tuple[str, str]:
    """A public key as it is sent, and what is wrong with it."""
    numbers = keys.private.public_key().public_numbers()
    key = {
        "2,048 bits": rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(),
        "an even modulus": rsa.RSAPublicNumbers(e=65537, n=numbers.n + 1).public_key(),
        "a small prime factor": rsa.RSAPublicNumbers(e=65537, n=numbers.n * 3).public_key(),
    }[request.param]
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode(), WEAK[request.param]


@pytest.mark.parametrize("door", ["request", "collect", "reissue"])
def test_a_weak_public_key_is_refused_and_the_page_says_why(
    sign_in: Callable[[User], Client],
    make_token: Callable[..., Token],
    engineer: User,
    weak: tuple[str, str],
    door: str,
) -> None:
    sent, wrong = weak
    state = State.AWAITING_RECIPIENT if door == "collect" else State.ACTIVE
    token = make_token(engineer, state=state)
    address, fields = {
        "request": (
            "/tokens/new/",
            {"workspace": "g-00000000a1", "service_account": "2", "name": "ci"},
        ),
        "collect": (f"/tokens/{token.pk}/collect/", {}),
        "reissue": (
            f"/tokens/{token.pk}/reissue/",
            {"mode": "replace", "recipient": "me", "reason": "lost"},
        ),
    }[door]
    answer: Any = sign_in(engineer).post(
        address, {**fields, "seconds_to_live": "3600", "public_key": sent}
    )
    assert answer.status_code == 422
    assert escape(wrong) in answer.content.decode()
    assert list(Token.objects.values_list("pk", "state")) == [(token.pk, state)]
