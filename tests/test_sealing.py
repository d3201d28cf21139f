"""A key is sealed so that one browser, and nobody else, can open it."""

import base64
import uuid

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from portal import sealing
from tests.person import KeyPair

TOKEN = uuid.UUID("6f0c3e1e-7d0e-4b52-9d3c-0c4d9f1b2a77")
PAIR = KeyPair()
DER = base64.b64decode(PAIR.public)


def encode(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, format_: str = "spki") -> str:
    formats = {
        "spki": serialization.PublicFormat.SubjectPublicKeyInfo,
        "pkcs1": serialization.PublicFormat.PKCS1,
    }
    return base64.b64encode(key.public_bytes(serialization.Encoding.DER, formats[format_])).decode()


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=300))
@settings(max_examples=25, deadline=None)
def test_the_holder_of_the_private_half_opens_what_was_sealed(key: str) -> None:
    sealed = sealing.seal(key, DER, TOKEN)
    assert PAIR.open(base64.b64encode(sealed).decode(), str(TOKEN)) == key
    assert key.encode() not in sealed or len(key) < 4


def test_two_seals_of_one_key_differ() -> None:
    assert sealing.seal("glsa_x", DER, TOKEN) != sealing.seal("glsa_x", DER, TOKEN)


def test_a_ciphertext_moved_to_another_token_does_not_open() -> None:
    sealed = base64.b64encode(sealing.seal("glsa_x", DER, TOKEN)).decode()
    with pytest.raises(ValueError, match="Decryption"):
        PAIR.open(sealed, str(uuid.uuid4()))


def test_a_key_that_does_not_fit_is_refused_not_cut() -> None:
    room = 3072 // 8 - 2 * 32 - 2
    sealed = sealing.seal("k" * room, DER, TOKEN)
    assert PAIR.open(base64.b64encode(sealed).decode(), str(TOKEN)) == "k" * room
    with pytest.raises(sealing.CannotSealError):
        sealing.seal("k" * (room + 1), DER, TOKEN)


@pytest.mark.parametrize("bits", [3072, 4096])
def test_rsa_keys_of_3072_and_4096_bits_are_accepted(bits: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    assert sealing.decode_public_key(encode(key)) == base64.b64decode(encode(key))


@pytest.mark.parametrize("bits", [2048, 3064])
def test_a_small_key_is_refused(bits: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    with pytest.raises(sealing.InvalidPublicKeyError, match=f"{bits} bits; 3072 to 4096"):
        sealing.decode_public_key(encode(key))


def test_a_request_from_before_that_waits_with_a_smaller_key_still_gets_its_own() -> None:
    pair = KeyPair(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    sealed = sealing.seal("glsa_x", base64.b64decode(pair.public), TOKEN)
    assert pair.open(base64.b64encode(sealed).decode(), str(TOKEN)) == "glsa_x"


@pytest.mark.parametrize("factor", [2, 65521])
def test_a_weak_key_is_refused(factor: int) -> None:
    n = PAIR.private.public_key().public_numbers().n
    weak = rsa.RSAPublicNumbers(e=65537, n=n * factor).public_key()
    with pytest.raises(
        sealing.InvalidPublicKeyError, match=r"weak: its modulus (is even|has a pr)"
    ):
        sealing.decode_public_key(encode(weak))


def test_a_large_key_is_refused() -> None:
    large = rsa.RSAPublicNumbers(e=65537, n=(1 << 4607) + (1 << 4000) + 1).public_key()
    with pytest.raises(sealing.InvalidPublicKeyError, match=r"4608 bits|too long"):
        sealing.decode_public_key(encode(large))


def test_another_exponent_is_refused() -> None:
    numbers = PAIR.private.public_key().public_numbers()
    odd = rsa.RSAPublicNumbers(e=3, n=numbers.n).public_key()
    with pytest.raises(sealing.InvalidPublicKeyError, match="exponent"):
        sealing.decode_public_key(encode(odd))


def test_an_elliptic_curve_key_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(sealing.InvalidPublicKeyError, match="not an RSA key"):
        sealing.decode_public_key(encode(key))


def test_another_encoding_of_the_same_key_is_refused() -> None:
    with pytest.raises(sealing.InvalidPublicKeyError):
        sealing.decode_public_key(encode(PAIR.private.public_key(), "pkcs1"))


@pytest.mark.parametrize(
    "text", ["", "!", "AAAA", "ä" * 8, PAIR.public[:-8], PAIR.public + "AAAA", "A" * 2000]
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(sealing.InvalidPublicKeyError):
        sealing.decode_public_key(text)


@given(st.binary(max_size=600))
def test_random_bytes_are_refused_and_never_crash(data: bytes) -> None:
    with pytest.raises(sealing.InvalidPublicKeyError):
        sealing.decode_public_key(base64.b64encode(data).decode())


def test_the_fingerprint_is_the_hex_sha256_of_the_key() -> None:
    assert (
        sealing.fingerprint("abc")
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
