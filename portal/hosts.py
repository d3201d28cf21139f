"""Which machine a host of a URL names, and which networks a setting does."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

CIDR = "networks such as 10.20.0.0/16, separated by commas"


def is_loopback(host: str | None) -> bool:
    """Whether it is this machine, by its name or by an address that no other machine can answer."""
    found = (host or "").strip("[]").lower()
    try:
        return found == "localhost" or ip_address(found).is_loopback
    except ValueError:
        return False


def networks(text: str) -> list[IPv4Network | IPv6Network]:
    """Networks in CIDR, separated by commas; may be empty. Raises ValueError."""
    return [ip_network(one.strip()) for one in text.split(",")] if text else []
