"""Which machine a host of a URL names."""

from ipaddress import ip_address


def is_loopback(host: str | None) -> bool:
    """Whether it is this machine, by its name or by an address that no other machine can answer."""
    found = (host or "").strip("[]").lower()
    try:
        return found == "localhost" or ip_address(found).is_loopback
    except ValueError:
        return False
