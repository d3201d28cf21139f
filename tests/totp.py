"""What an authenticator app shows (RFC 6238, with the defaults that all apps have)."""

import base64
import hashlib
import hmac
import time

PERIOD = 30
DIGITS = 6


def code_of(seed: str, *, periods: int = 0) -> str:
    """The code so many periods from now."""
    counter = int(time.time()) // PERIOD + periods
    digest = hmac.new(base64.b32decode(seed), counter.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"
