"""Verifies the audit log's chain."""

import hmac
from functools import lru_cache

FORMAT = 1
GENESIS = "0" * 64


@lru_cache
def key_id(key: bytes) -> str:
    """Which key this is, without saying what it is."""
    return hmac.digest(key, b"key_id", "sha256").hex()[:16]


def event_hash(key: bytes, prev_hash: bytes, text: bytes) -> str:
    """An event's hash, in lower-case hex."""
    return hmac.digest(key, prev_hash + text, "sha256").hex()


def signature(key: bytes, trailer: bytes) -> str:
    """A trailer's signature, in lower-case hex. No event's text begins as this does."""
    return hmac.digest(key, b"trailer:" + trailer, "sha256").hex()
