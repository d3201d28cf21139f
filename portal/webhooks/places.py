"""Where a webhook may go: the internet, or a network that PORTAL_WEBHOOK_NETWORKS names.

Whoever leads a team writes the address, so it may be anything: one of this machine's, of the
cloud's metadata, or a name that says something else each time it is asked. A name is looked up when
it is called, every address that it has is judged, and only one that was judged is connected to.
"""

import re
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL = 2000
"""Characters; those of Teams' workflows have about 350."""
LOOKUP_SECONDS = 5.0
MOST_ADDRESSES = 3
"""Of one name that are tried one after another."""

CREDENTIALS = frozenset(
    map(
        ip_address,
        ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"),
    )
)
"""Where AWS gives machines and containers their credentials: no setting opens these."""
_IPV4_IN_IPV6 = tuple(
    map(
        ip_network,
        (
            "::/96",
            "::ffff:0:0/96",
            "::ffff:0:0:0/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2002::/16",
        ),
    )
)
"""Each names an IPv4 address in another spelling (RFC 4291, 2765, 6052, 8215, 3056). A receiver on
the internet has one of its own."""
_ALSO_CLOSED = tuple(
    map(
        ip_network,
        (
            *("192.0.0.0/24", "192.88.99.0/24", "100::/64", "2001::/23", "3fff::/20", "5f00::/16"),
            "fec0::/10",
        ),
    )
)
"""For protocols, relays, examples and routers, and site-local addresses (IANA's registries of
special addresses): not every Python's table has them all."""

_URL = re.compile(r"[!#-;=?-\[\]_a-z~]+")
"""What may stand in a URL (RFC 3986), letters of A to Z included."""
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class WrongPlaceError(ValueError):
    """The address is none that a webhook could ever have. Its text is for people."""


class RefusedError(Exception):
    """The address leads to where no webhook may go. Its text is for people, and names no address:
    whoever leads a team need not learn those of this network."""


class NotFoundError(Exception):
    """The name has no address, or nobody says which."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a webhook is posted to. ``target`` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def header(self) -> str:
        """The value of ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"

    def at(self, address: Address) -> str:
        """The URL with the address in the place of the name."""
        host = f"[{address}]" if address.version == 6 else str(address)
        return f"{self.scheme}://{host}:{self.port}{self.target}"


def parse(url: str, networks: Sequence[Network]) -> Place:
    """The place that a URL names. Raises WrongPlaceError, without looking anything up."""
    place = _read(url)
    if place.scheme == "http" and not networks:
        raise WrongPlaceError("Write https://: nothing is sent that others could read or change.")
    literal = _literal(place.host)
    if literal is None and not _NAME.fullmatch(place.host):
        raise WrongPlaceError("This is no web address: its host can't be a name.")
    named = ip_address("127.0.0.1") if _is_this_machine(place.host) else literal
    if named is not None:
        try:
            require_open(place, [named], networks)
        except RefusedError as refused:
            raise WrongPlaceError(f"{refused}") from None
    return place


def _read(url: str) -> Place:
    if len(url) > LONGEST_URL:
        raise WrongPlaceError(f"An address has at most {LONGEST_URL:,} characters.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise WrongPlaceError("This is no web address: its host or port can't be read.") from None
    if parts.scheme not in ("https", "http") or not host:
        raise WrongPlaceError("Write a whole address, such as https://hooks.example.com/tokens.")
    if not _URL.fullmatch(url.lower()):
        raise WrongPlaceError(
            "An address has ASCII letters, digits and signs alone: write others percent-encoded, "
            "and a host's as xn--."
        )
    if "@" in parts.netloc:
        raise WrongPlaceError("Leave out user and password: the signature says who sends it.")
    if parts.fragment:
        raise WrongPlaceError("Leave out # and what follows: no server is ever sent that.")
    if port == 0:
        raise WrongPlaceError("A port is a number from 1 to 65535.")
    usual = 443 if parts.scheme == "https" else 80
    query = f"?{parts.query}" if parts.query else ""
    return Place(parts.scheme, host, port or usual, f"{parts.path or '/'}{query}")


def _literal(host: str) -> Address | None:
    """The address that a host is. Raises WrongPlaceError for one in a spelling that programs read
    in several ways (decimal, octal, hexadecimal, with fewer parts)."""
    try:
        found = ip_address(host)
    except ValueError:
        if ":" in host or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            raise WrongPlaceError(
                "Write an IP address as four decimal numbers, or as IPv6 in brackets."
            ) from None
        return None
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        raise WrongPlaceError("Leave out % and what follows: that names an interface of here.")
    return found


def _is_this_machine(host: str) -> bool:
    return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")


def is_public(address: Address) -> bool:
    """Whether it is one machine of the internet's, under its own address."""
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(_within(address, one) for one in (*_IPV4_IN_IPV6, *_ALSO_CLOSED))
    )


def _spelled(address: Address) -> set[Address]:
    """The address, and the IPv4 address that it may be another spelling of: in its last 32 bits, or
    behind the prefix 2002::/16."""
    if address.version == 4:
        return {address}
    return {
        address,
        IPv4Address(int(address) & 0xFFFFFFFF),
        IPv4Address(int(address) >> 80 & 0xFFFFFFFF),
    }


def require_open(place: Place, addresses: Sequence[Address], networks: Sequence[Network]) -> None:
    """Raise RefusedError unless a webhook may go to every one of a place's addresses.

    To each, because a name that has one of outside beside one of inside is a trap or a mistake.
    """
    for address in addresses:
        is_named = any(_within(address, one) for one in networks)
        if CREDENTIALS & _spelled(address):
            raise RefusedError(
                "It leads to where machines get their credentials: no webhook may go there."
            )
        if not is_named and not is_public(address):
            raise RefusedError(
                "It leads to a private address. Those that webhooks may reach are named by "
                "PORTAL_WEBHOOK_NETWORKS."
            )
        if place.scheme == "http" and not is_named:
            raise RefusedError(
                "Over http it may lead into a network of PORTAL_WEBHOOK_NETWORKS alone."
            )


def look_up(place: Place, networks: Sequence[Network]) -> list[Address]:
    """The addresses of a place, each of them open. Raises RefusedError or NotFoundError.

    Within LOOKUP_SECONDS: what looks names up has a patience of its own, which is longer.
    """
    found: list[Address] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        # A zone (fe80::1%eth0) is cut off: such an address is closed anyway.
        found.extend(ip_address(str(one[4][0]).partition("%")[0]) for one in answers)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(LOOKUP_SECONDS)
    addresses = list(dict.fromkeys(found))
    if not addresses:
        raise NotFoundError("Its name has no address.")
    require_open(place, addresses, networks)
    return addresses[:MOST_ADDRESSES]


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network
