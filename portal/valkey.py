"""A Valkey or Redis server, read once from its URL; each library is told of it in its own form."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, RedisError
from redis.retry import Retry

SOCKETS = ("unix", "redis+socket")
SCHEMES = ("redis", "rediss", *SOCKETS)
DEFAULT_PORT = 6379

_DATABASE = ("db", "virtual_host")
"""As redis-py and as kombu call it."""
_CERTIFICATES = {
    **dict.fromkeys(("required", "CERT_REQUIRED"), "required"),
    **dict.fromkeys(("optional", "CERT_OPTIONAL"), "optional"),
    **dict.fromkeys(("none", "CERT_NONE"), "none"),
}
_FOR_KOMBU = {
    "required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
}


def _switch(text: str) -> bool:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
        text.lower()
    ]


_TLS: dict[str, Callable[[str], Any]] = {
    "ssl_cert_reqs": _CERTIFICATES.__getitem__,
    "ssl_ca_certs": str,
    "ssl_ca_path": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_password": str,
    "ssl_check_hostname": _switch,
}
_CLIENT: dict[str, Callable[[str], Any]] = {
    "client_name": str,
    "health_check_interval": int,
    "max_connections": int,
    "protocol": int,
    "retry_on_timeout": _switch,
    "socket_connect_timeout": float,
    "socket_keepalive": _switch,
    "socket_timeout": float,
}
"""What else redis-py takes from a URL."""


class WrongUrlError(ValueError):
    """Says what is wrong with a URL; holds none of its values."""


@dataclass(frozen=True, slots=True)
class Server:
    """Either ``path`` is set, a Unix socket's, or ``host`` and ``port``.

    ``tls`` is None without TLS; its options and ``options`` are named as redis-py names them.
    """

    host: str = ""
    port: int = DEFAULT_PORT
    path: str = ""
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Server":
        """Raises ValueError; WrongUrlError where there is something to explain."""
        scheme, separator, rest = text.partition("://")
        if scheme not in SCHEMES or not separator:
            raise ValueError
        parts = urlsplit(text)
        if "@" in rest and "@" not in parts.netloc:
            raise WrongUrlError(
                "has “/”, “?” or “#” in its user or password: write %2F, %3F or %23 instead"
            )
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        is_socket = scheme in SOCKETS
        if parts.port == 0 or not (parts.path.strip("/") if is_socket else parts.hostname):
            raise ValueError
        if is_socket and parts.hostname:
            raise WrongUrlError("has a host before a socket's path: write unix:///path")
        databases = {query.pop(name) for name in _DATABASE if name in query}
        if not is_socket and parts.path.strip("/"):
            databases.add(parts.path.strip("/"))
        return cls(
            host="" if is_socket else unquote(parts.hostname or ""),
            port=parts.port or DEFAULT_PORT,
            path=unquote(parts.path) if is_socket else "",
            db=_database(databases),
            username=unquote(parts.username or "") or query.pop("username", ""),
            password=unquote(parts.password or "") or query.pop("password", ""),
            tls=_taken(query, _TLS) if scheme == "rediss" else None,
            options=_taken(query, _CLIENT, nothing_else=True),
        )

    # -- In the words of each library -----------------------------------------------------------

    def connect(self, **options: Any) -> redis.Redis:
        """A client of redis-py; it connects when it is first asked for something.

        Nothing is tried again unless the URL says so: whoever asks goes on without an answer, and
        by default redis-py would wait for seconds first.
        """
        given = {**options, **self.options}
        retries = int(given.pop("retry_on_timeout", False))
        given["retry"] = Retry(NoBackoff(), retries)
        if self.path:
            given |= {"unix_socket_path": self.path}
        else:
            given |= {"host": self.host, "port": self.port, **(self.tls or {})}
        if self.tls is not None:
            given["ssl"] = True
        return redis.Redis(
            db=self.db, username=self.username or None, password=self.password or None, **given
        )

    @property
    def url(self) -> str:
        """For Django's cache, in redis-py's words, and for people's eyes in tests."""
        database = {"db": str(self.db)} if self.path else {}
        options = {**database, **(self.tls or {}), **self.options}
        query = urlencode({name: str(value) for name, value in options.items()}, quote_via=quote)
        return self._url("unix") + (f"?{query}" if query else "")

    @property
    def kombu_url(self) -> str:
        """For Celery. What TLS needs stands in ``kombu_tls``."""
        query = f"?virtual_host={self.db}" if self.path and self.db else ""
        return self._url("redis+socket") + query

    @property
    def kombu_tls(self) -> dict[str, Any] | None:
        """Without a word about it kombu would take any certificate."""
        if self.tls is None:
            return None
        wanted = _FOR_KOMBU[self.tls.get("ssl_cert_reqs", "required")]
        return {**self.tls, "ssl_cert_reqs": wanted}

    def _url(self, socket: str) -> str:
        who = quote(self.username, safe="")
        if self.password:
            who += f":{quote(self.password, safe='')}"
        if who:
            who += "@"
        if self.path:
            return f"{socket}://{who}{quote(self.path)}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'redis' if self.tls is None else 'rediss'}://{who}{host}:{self.port}/{self.db}"


def _database(found: set[str]) -> int:
    if len(found) > 1:
        raise WrongUrlError("names two databases: leave one")
    text = "".join(found).strip("/") or "0"
    if not text.isascii() or not text.isdecimal():
        raise WrongUrlError("names a database that is no number, such as the 0 of host:6379/0")
    return int(text)


def _taken(
    query: dict[str, str], known: dict[str, Callable[[str], Any]], *, nothing_else: bool = False
) -> dict[str, Any]:
    """The known options, as what they mean; they are taken out of ``query``."""
    taken = {}
    for name in known:
        if name in query:
            try:
                taken[name] = known[name](query.pop(name))
            except (KeyError, ValueError):
                raise WrongUrlError(f"has an option {name} that can't be read") from None
    if nothing_else and query:
        raise WrongUrlError(f"has options that nobody knows here: {', '.join(map(_shown, query))}")
    return taken


def _shown(name: str) -> str:
    """An option's name, unless it looks as if it were a piece of a password."""
    return name if name.isascii() and name.isidentifier() and len(name) < 30 else "…"


# -- What went wrong ------------------------------------------------------------------------------


_REFUSALS = (
    AuthenticationError,
    AuthorizationError,
    redis.DataError,
    redis.ResponseError,
    ssl.SSLCertVerificationError,
)
"""ReadOnlyError is one of them, and does not count: a replica may become the primary."""


def is_misconfigured(error: BaseException) -> bool:
    """Whether the server has answered, and refused: to wait for it would be of no use."""
    reasons = list(_chain(error))
    if any(isinstance(reason, redis.ReadOnlyError) for reason in reasons):
        return False
    return any(isinstance(reason, _REFUSALS) for reason in reasons)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """kombu and redis-py wrap what they met."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


_clients: dict[str, redis.Redis] = {}


def client(server: Server) -> redis.Redis:
    """This process's client for short questions: each waits a second at most.

    Made on first use, and good in a child of the process: redis-py's pools begin anew after a fork.
    """
    found = _clients.get(server.url)
    if found is None:
        found = server.connect(socket_timeout=1, socket_connect_timeout=1)
        _clients[server.url] = found
    return found


def takes_writes(server: Server) -> Exception | None:
    """Ask it to keep something for a minute; what it or the way to it says against that."""
    try:
        with server.connect(socket_timeout=1, socket_connect_timeout=1) as asked:
            asked.set("portal:readyz", "1", ex=60)
    except RedisError as error:
        return error
    return None
