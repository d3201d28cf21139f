"""Where a request comes from, as far as it can be believed."""

import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest

_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::[0-9]{1,5})?")
_V4_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")


def client_address(request: HttpRequest) -> str | None:
    """The address that the outermost trusted proxy saw, else the peer's; None for a Unix socket.

    With N trusted proxies it is the Nth entry of X-Forwarded-For from the right: what stands before
    it was written by whoever sent the request. An entry that can't be read is no address, and a
    list that is too short holds none: the peer's counts then.
    """
    proxies: int = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if proxies:
        entries = request.headers.get("X-Forwarded-For", "").split(",")
        if len(entries) >= proxies and (found := parse_address(entries[-proxies])):
            return found
    return parse_address(request.META.get("REMOTE_ADDR", ""))


def parse_address(text: str) -> str | None:
    """An address without quotes, brackets, port or zone, which proxies write beside it.

    IPv4 in IPv6's clothes is IPv4; None for what is no address (RFC 7239 allows ``unknown`` and
    ``_names``).
    """
    text = text.strip().strip('"')
    if found := _BRACKETED.fullmatch(text) or _V4_WITH_PORT.fullmatch(text):
        text = found[1]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
