"""Seals a key to the one browser that may read it. The only importer of ``cryptography``.

RSA-OAEP (RFC 8017, section 7.1) with SHA-256 as hash and as MGF1 hash, and a label that binds the
ciphertext to its token. The browser opens it with one native WebCrypto call.

What the portal itself has to read again (the seeds of second factors) is locked with keys of its
own: Fernet (AES-128-CBC and HMAC-SHA256), from SECRET_KEY by HKDF (RFC 5869).
"""

import base64
import binascii
import hashlib
import uuid
from collections.abc import Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal import moduli

SMALLEST_KEY_BITS = 3072
LARGEST_KEY_BITS = 4096
SMALLEST_WAITING_KEY_BITS = 2048
"""What versions before this one took: a request of theirs may still wait for its key."""
PUBLIC_EXPONENT = 65537
LONGEST_BASE64 = 1024
"""Characters: a 4096-bit SubjectPublicKeyInfo takes 736."""

SCRYPT_COST = 2**14

_HASH_BYTES = 32


class InvalidPublicKeyError(ValueError):
    """What the browser sent is no public key that a Grafana key may be sealed to."""


class CannotSealError(ValueError):
    """The key is longer than OAEP can carry for this public key."""


class CannotUnlockError(ValueError):
    """None of the secrets has locked this text for this purpose, or it is too old."""


def decode_public_key(text: str) -> bytes:
    """The DER SubjectPublicKeyInfo of an RSA public key, from its base64, checked.

    Raises InvalidPublicKeyError, whose text is for people, unless it is RSA of 3072-4096 bits with
    the exponent 65537 and a modulus that is not known to be weak, encoded exactly (so that equal
    keys are equal bytes). Takes a millisecond.
    """
    if len(text) > LONGEST_BASE64:
        raise InvalidPublicKeyError("The public key is too long.")
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidPublicKeyError("The public key is not base64.") from None
    key = _load(der, SMALLEST_KEY_BITS)
    weakness = moduli.weakness(key.public_numbers().n)
    if weakness:
        raise InvalidPublicKeyError(f"The public key is weak: its modulus {weakness}")
    exact = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if exact != der:
        raise InvalidPublicKeyError("The public key is not encoded as DER SubjectPublicKeyInfo.")
    return der


def seal(key: str, public_key: bytes, token_id: uuid.UUID) -> bytes:
    """Encrypt ``key`` so that only the holder of the private half can read it.

    Raises CannotSealError when it does not fit, InvalidPublicKeyError when ``public_key`` is none.
    """
    recipient = _load(public_key, SMALLEST_WAITING_KEY_BITS)
    plaintext = key.encode()
    if len(plaintext) > recipient.key_size // 8 - 2 * _HASH_BYTES - 2:
        raise CannotSealError("the key is longer than this public key can seal")
    return recipient.encrypt(
        plaintext,
        padding.OAEP(
            mgf=padding.MGF1(algorithm=hashes.SHA256()),
            algorithm=hashes.SHA256(),
            label=label(token_id),
        ),
    )


def label(token_id: uuid.UUID) -> bytes:
    """The OAEP label: a ciphertext moved to another token's row does not open."""
    return f"grafana-token:{token_id}".encode()


def fingerprint(key: str) -> str:
    """Lower-case hex SHA-256 of a key. A key has 190 random bits, so this can't be reversed."""
    return hashlib.sha256(key.encode()).hexdigest()


def public_key_sha256(public_key: bytes) -> str:
    """Lower-case hex SHA-256 of the DER public key: under it the browser keeps the private half."""
    return hashlib.sha256(public_key).hexdigest()


def lock(text: str, *, purpose: str, secrets: Sequence[str]) -> str:
    """Encrypt ``text`` with a key made of the first of ``secrets`` and of ``purpose``."""
    return _locks(purpose, secrets).encrypt(text.encode()).decode()


def unlock(locked: str, *, purpose: str, secrets: Sequence[str], within: int | None = None) -> str:
    """What was locked with any of ``secrets``, in the last ``within`` seconds.

    Raises CannotUnlockError.
    """
    try:
        return _locks(purpose, secrets).decrypt(locked, ttl=within).decode()
    except (InvalidToken, ValueError):
        raise CannotUnlockError("nothing here opens it") from None


def is_locked_with(locked: str, *, purpose: str, secret: str) -> bool:
    """Whether this very secret opens it."""
    try:
        unlock(locked, purpose=purpose, secrets=[secret])
    except CannotUnlockError:
        return False
    return True


def slow_hash(text: str, salt: str) -> str:
    """Hex scrypt (RFC 7914; 16 MB, 40 ms) of a text that could be guessed otherwise."""
    cost = SCRYPT_COST
    return hashlib.scrypt(text.encode(), salt=salt.encode(), n=cost, r=8, p=1, dklen=32).hex()


def _locks(purpose: str, secrets: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret, purpose)) for secret in secrets])


def _derived(secret: str, purpose: str) -> bytes:
    key = HKDF(hashes.SHA256(), length=32, salt=None, info=f"portal: {purpose}".encode())
    return base64.urlsafe_b64encode(key.derive(secret.encode()))


def _load(der: bytes, smallest_bits: int) -> rsa.RSAPublicKey:
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidPublicKeyError("The public key is not a DER SubjectPublicKeyInfo.") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise InvalidPublicKeyError("The public key is not an RSA key.")
    if not smallest_bits <= key.key_size <= LARGEST_KEY_BITS:
        raise InvalidPublicKeyError(
            f"The public key has {key.key_size} bits; "
            f"{smallest_bits} to {LARGEST_KEY_BITS} are accepted."
        )
    if key.public_numbers().e != PUBLIC_EXPONENT:
        raise InvalidPublicKeyError(f"The public key's exponent is not {PUBLIC_EXPONENT}.")
    return key
