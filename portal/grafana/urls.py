"""The form of the URLs that people and programs are sent to."""

import re
from urllib.parse import urlsplit

from portal.hosts import is_loopback

_URL = re.compile(
    r"(?:(?P<scheme>https?)://)?(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:/[A-Za-z0-9._~/-]*)?"
)


def is_web_url(text: str) -> bool:
    """Whether it is a host, perhaps with port and path, that https reaches; http on this machine.

    A scheme may be missing: https is meant then.
    """
    match = _URL.fullmatch(text)
    if match is None:
        return False
    try:
        parts = urlsplit(text if match["scheme"] else f"https://{text}")
        host = parts.hostname or ""
        if parts.port == 0:
            return False
    except ValueError:
        return False
    return bool(host) and (match["scheme"] != "http" or is_loopback(host))
