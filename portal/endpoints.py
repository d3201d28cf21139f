"""The servers, files and host names that settings name, as Django wants to hear of them."""

import ipaddress
import re
from typing import Any
from urllib.parse import unquote, urlsplit

import environ

from portal.valkey import WrongUrlError

DATABASE_SCHEMES = ("sqlite:", "postgres:", "postgresql:")
IMPLICIT_TLS_PORT = 465
"""RFC 8314: TLS from the first byte, where STARTTLS is never answered."""


def database(text: str) -> dict[str, Any]:
    """Django's database settings from a URL such as ``postgres://user:password@host/name``."""
    if not text.startswith(DATABASE_SCHEMES):
        raise ValueError
    # Without a path this is a database in memory, and each process would have its own.
    if text.startswith("sqlite:") and not re.match(r"sqlite:///.", text):
        raise ValueError
    if text.startswith("sqlite:"):
        _require_whole_path(text)
    found = dict(environ.Env.db_url_config(text))
    if not found["NAME"]:
        raise ValueError
    options = found.setdefault("OPTIONS", {})
    if found["ENGINE"].endswith("sqlite3"):
        # A writer takes the lock when its transaction begins: a read that turns into a write
        # half-way would fail at once with "database is locked" instead of waiting its turn.
        options["transaction_mode"] = "IMMEDIATE"
        options["timeout"] = 20
        options["init_command"] = (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;"
        )
        found["CONN_MAX_AGE"] = None
    else:
        if found.get("CONN_MAX_AGE"):
            raise ValueError  # the pool keeps connections
        found["HOST"] = _folder_of_socket(text) or found["HOST"]
        found["ENGINE"] = "portal.postgresql"
        options["pool"] = {"size": 20, "timeout": 5}
        # libpq's names. A host that vanishes without a word is noticed after so many seconds (and
        # milliseconds), instead of the quarter of an hour that the system would wait.
        options.setdefault("connect_timeout", 5)
        options.setdefault("tcp_user_timeout", 10_000)
        options.setdefault("keepalives_idle", 10)
        options.setdefault("keepalives_interval", 5)
        options.setdefault("keepalives_count", 3)
    return found


def _require_whole_path(text: str) -> None:
    """Raise WrongUrlError for a path that a URL ends in the middle of."""
    path = text.partition("?")[0]
    if "#" in text or ";" in path:
        raise WrongUrlError("has “#” or “;” in its path: write %23 or %3B instead")


def _folder_of_socket(text: str) -> str:
    """Where PostgreSQL's socket lies if the host is a path, percent-encoded; "" if it is a name.

    Parsers make a host's letters small, and a path's may be large.
    """
    host = unquote(re.sub(r":\d*$", "", urlsplit(text).netloc.rpartition("@")[2]))
    return host if host.startswith("/") else ""


def mail(text: str) -> dict[str, Any]:
    """Django's mail settings from a URL such as ``smtp+tls://user:password@host:587``."""
    if text.startswith("filemail:"):
        _require_whole_path(text)
    found = {
        "EMAIL_TIMEOUT": 10,
        "EMAIL_SCHEME": text.partition(":")[0],
        "EMAIL_USE_TLS": False,
        "EMAIL_USE_SSL": False,
        **environ.Env.email_url_config(text),
    }
    if text.startswith("filemail:"):
        found["EMAIL_FILE_PATH"] = unquote(urlsplit(text).path)
    if found["EMAIL_USE_TLS"] and found["EMAIL_PORT"] == IMPLICIT_TLS_PORT:
        found |= {"EMAIL_USE_TLS": False, "EMAIL_USE_SSL": True}
    return found


# -- Host names ---------------------------------------------------------------------------------

_WRAPPING = " '\"[]"
_HOST = re.compile(r"\*|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


def hosts(text: str) -> list[str]:
    """The patterns of ALLOWED_HOSTS, separated by commas, as Django compares them.

    A scheme, a port, a path, quotes and a list's brackets are left out: they are what people paste,
    and no request's host would ever match them. What is no host name even then stays as it stands.
    """
    found = [host for word in text.split(",") if (host := _as_compared(word.strip()))]
    if not found:
        raise ValueError
    return found


def is_host(pattern: str) -> bool:
    """Whether a request's host could match this pattern of ALLOWED_HOSTS."""
    return bool(_HOST.fullmatch(pattern))


def _as_compared(word: str) -> str:
    host = re.sub(r"^https?://\[?", "", word.lower().strip(_WRAPPING)).partition("/")[0]
    address = host.partition("]")[0]
    if _is_ipv6(address):
        return f"[{address}]"
    host = re.sub(r":\d*$", "", host).rstrip(".")
    if host.startswith("*."):
        host = host[1:]
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
