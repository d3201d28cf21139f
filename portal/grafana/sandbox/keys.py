"""Keys in Grafana's format: ``glsa_`` + 32 letters and digits + ``_`` + a checksum in hex.

The checksum is the CRC32 of all before it, its four bytes in little-endian order.
"""

import hashlib
import secrets
import string
import zlib

_ALPHABET = string.ascii_letters + string.digits


def new_key() -> str:
    body = "glsa_" + "".join(secrets.choice(_ALPHABET) for _ in range(32))
    checksum = zlib.crc32(body.encode()).to_bytes(4, "little").hex()
    return f"{body}_{checksum}"


def digest(key: str) -> str:
    """What is stored of a key: its SHA-256 in hex."""
    return hashlib.sha256(key.encode()).hexdigest()
