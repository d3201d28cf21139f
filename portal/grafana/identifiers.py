"""The form of AMG's ids, which become parts of URLs: checked on the way in and on the way out.

They leave nothing that would need percent-encoding, and no "..". And the form of the addresses that
people and programs are sent to.
"""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_WORKSPACE_ID = re.compile(r"g-[0-9a-f]{10}")
_NUMBER = re.compile(r"[0-9]+")

_ADDRESS = re.compile(
    r"(?:(?P<scheme>https?)://)?(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:/[A-Za-z0-9._~/-]*)?"
)


def is_web_address(text: str) -> bool:
    """Whether it is a host, perhaps with port and path, that https reaches; http on this machine.

    A scheme may be missing: https is meant then.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return False
    try:
        parts = urlsplit(text if match["scheme"] else f"https://{text}")
        host = parts.hostname or ""
        if parts.port == 0:
            return False
    except ValueError:
        return False
    return bool(host) and (match["scheme"] != "http" or _is_this_machine(host))


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_workspace_id(value: object) -> bool:
    """Whether it is of the form ``g-1a2b3c4d5e`` (the service model's pattern, whole)."""
    return isinstance(value, str) and _WORKSPACE_ID.fullmatch(value) is not None


def is_number(value: object) -> bool:
    """Whether it is a string of ASCII digits, as the ids of accounts and tokens are."""
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None
