"""The servers, files and host names that settings name, as Django wants to hear of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.http.request import validate_host

from portal.valkey import WrongUrlError

DATABASE_SCHEMES = ("sqlite:", "postgres:", "postgresql:")
IMPLICIT_TLS_PORTS = (465, 2465)
"""TLS from the first byte, where STARTTLS is never answered: RFC 8314, and Amazon SES's other."""
UNESCAPED = "has “/”, “?”, “#” or “@” in its user or password: write %2F, %3F, %23 or %40 instead"


def database(text: str) -> dict[str, Any]:
    """Django's database settings from a URL such as ``postgres://user:password@host/name``."""
    if not text.startswith(DATABASE_SCHEMES):
        raise ValueError
    # Without a path this is a database in memory, and each process would have its own.
    if text.startswith("sqlite:") and not re.match(r"sqlite:///.", text):
        raise ValueError
    if text.startswith("sqlite:"):
        _require_whole_path(text)
    elif _is_cut_in_its_password(text):
        raise WrongUrlError(UNESCAPED)
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


def _is_cut_in_its_password(text: str) -> bool:
    """Whether the user and the password go on behind what a parser takes for the host."""
    parts = urlsplit(text)
    query = parts.query if not parts.path.strip("/") else ""
    return bool(re.search("@.*/", parts.path)) or "@" in query + parts.fragment


def _folder_of_socket(text: str) -> str:
    """Where PostgreSQL's socket lies if the host is a path, percent-encoded; "" if it is a name.

    Parsers make a host's letters small, and a path's may be large.
    """
    host = unquote(re.sub(r":\d*$", "", urlsplit(text).netloc.rpartition("@")[2]))
    return host if host.startswith("/") else ""


@dataclass(frozen=True, slots=True)
class Mail:
    """How mails leave, in the words of Django's settings."""

    backend: str
    host: str | None
    port: int | None
    user: str | None
    password: str | None = field(repr=False)
    use_tls: bool = False
    """STARTTLS."""
    use_ssl: bool = False
    """TLS from the first byte."""
    file_path: str = ""


def mail(text: str) -> Mail:
    """From a URL such as ``smtp+tls://user:password@host:587``.

    ``smtps`` and ``smtp+tls`` speak TLS at once on a port where STARTTLS is never answered.
    """
    is_file = text.startswith("filemail:")
    if is_file:
        _require_whole_path(text)
    found = environ.Env.email_url_config(text)
    parts = urlsplit(text)
    is_smtp = found["EMAIL_BACKEND"].endswith(".smtp.EmailBackend")
    if is_smtp and "@" in parts.path + parts.query + parts.fragment:
        raise WrongUrlError(UNESCAPED)
    if is_smtp and not parts.hostname:
        raise WrongUrlError("names no host")
    port, use_tls = found["EMAIL_PORT"], bool(found.get("EMAIL_USE_TLS"))
    if parts.scheme == "smtps" and port is None:
        port = IMPLICIT_TLS_PORTS[0]
    is_implicit = use_tls and port in IMPLICIT_TLS_PORTS
    return Mail(
        found["EMAIL_BACKEND"],
        found["EMAIL_HOST"],
        port,
        found["EMAIL_HOST_USER"],
        found["EMAIL_HOST_PASSWORD"],
        use_tls=use_tls and not is_implicit,
        use_ssl=is_implicit or bool(found.get("EMAIL_USE_SSL")),
        file_path=unquote(parts.path) if is_file else found["EMAIL_FILE_PATH"],
    )


# -- Host names ---------------------------------------------------------------------------------

_HOST = re.compile(r"\*|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


def is_host(pattern: str) -> bool:
    """Whether a request's host could match this pattern of ALLOWED_HOSTS, as Django compares it."""
    return bool(_HOST.fullmatch(pattern.lower()))


def hosts(origin: str) -> Callable[[str], list[str]]:
    """A parser of ALLOWED_HOSTS, separated by commas.

    An entry that no request matches (a URL, a port, quotes, ``*.example.com``) is refused, unless
    others let ``origin`` in: then it has done no harm.
    """

    def parse(text: str) -> list[str]:
        found = [word.strip() for word in text.split(",") if word.strip()]
        if not found:
            raise ValueError
        if not all(map(is_host, found)) and not lets_in(origin, found):
            raise WrongUrlError(
                "has an entry that no request's host can match, such as a URL, a port or quotes"
            )
        return found

    return parse


def lets_in(origin: str, patterns: list[str]) -> bool:
    """Whether a page that is asked for at this origin is answered."""
    host = urlsplit(origin).hostname or ""
    return bool(validate_host(f"[{host}]" if ":" in host else host, patterns))
