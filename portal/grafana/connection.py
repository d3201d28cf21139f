"""urllib3's connections, taught two things: whether a request left, and when to stop waiting."""

import http.client
import io
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

from portal.grafana.trust import context_for

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _DeadlineReader(io.RawIOBase):
    """A socket's reading side that gives up at one moment, however often a byte drips in."""

    def __init__(self, stream: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        super().__init__()
        self._stream = stream
        self._sock = sock
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole answer is over")
        self._sock.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """Reads an answer, headers and body together, within the socket's timeout as it is now.

    http.client and urllib3 grant that timeout to each ``recv`` anew, so that a server that sends
    a byte now and then could hold a worker for ever.
    """

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        seconds = sock.gettimeout()
        if seconds is not None:
            stream = self.fp.detach()
            self.fp = io.BufferedReader(_DeadlineReader(stream, sock, seconds))


@contextmanager
def _connecting(connection: HTTPConnection) -> Iterator[None]:
    """Turn whatever fails before the request is written into urllib3's NewConnectionError.

    DNS, TCP, a proxy's tunnel, the TLS handshake. urllib3 itself reports a few of these just like a
    failure after the request was written, and for a create the difference is everything.
    """
    try:
        yield
    except NewConnectionError:
        raise
    except (OSError, HTTPError, http.client.HTTPException) as error:
        raise NewConnectionError(connection, str(error)) from error


class _PlainConnection(HTTPConnection):
    response_class = _BoundedResponse

    def connect(self) -> None:
        with _connecting(self):
            super().connect()


class _TlsConnection(HTTPSConnection):
    response_class = _BoundedResponse

    def connect(self) -> None:
        with _connecting(self):
            bundle = self.ca_certs or self.ca_cert_dir
            # To a proxy over TLS urllib3 makes contexts of its own, two in one: that is left to it.
            if bundle and (self.proxy is None or self.proxy.scheme != "https"):
                self.ssl_context = context_for(bundle)
                self.ca_certs = self.ca_cert_dir = None  # or it would be read once more
            super().connect()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS: Mapping[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _TlsPool}

_NEVER_AGAIN = Retry(total=0, read=False, redirect=False, respect_retry_after_header=False)


class OneAttemptAdapter(HTTPAdapter):
    """requests' adapter with the connections above, direct or through a proxy; sends once."""

    def __init__(self) -> None:
        super().__init__(max_retries=_NEVER_AGAIN)
        self.poolmanager.pool_classes_by_scheme = dict(_POOLS)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: object) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = dict(_POOLS)
        return manager
