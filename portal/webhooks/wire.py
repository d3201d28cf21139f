"""One call of a receiver: to an address that was judged, once, within a few seconds.

Built on requests' adapter and not on its Session, which would follow redirects, keep cookies, take
proxies from the environment and credentials from ``.netrc``. Nothing of an answer is read but its
status: what it says is nobody's business here, and may be as long as it likes.
"""

import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from requests import PreparedRequest, Request
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as NoConnectionError
from requests.exceptions import RequestException, SSLError, Timeout
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

from portal.webhooks.places import Address, Place

SECONDS = 10.0
"""For the whole of it: connecting, TLS, sending and the answer's head."""
CONNECT_SECONDS = 3.0
_LATE = f"It did not answer within {SECONDS:.0f} s."
USER_AGENT = "grafana-token-portal"
_NEVER_AGAIN = Retry(total=0, read=False, redirect=False, respect_retry_after_header=False)


class NoAnswerError(Exception):
    """The receiver did not answer. Its text is for people."""


class Answer:
    """What a receiver said: its status, and for how many seconds it asks to be left alone."""

    __slots__ = ("pause", "status")

    def __init__(self, status: int, retry_after: str = "") -> None:
        self.status = status
        is_number = retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 7
        self.pause = int(retry_after) if is_number else 0


def post(
    place: Place, addresses: Sequence[Address], body: bytes, headers: Mapping[str, str]
) -> Answer:
    """Post the body to the first of the addresses that takes a connection. Raises NoAnswerError."""
    with _until_time_is_over() as line, closing(_Adapter(place, line)) as adapter:
        for address in addresses:
            request = Request(
                "POST",
                place.at(address),
                data=body,
                headers={"User-Agent": USER_AGENT, **headers, "Host": place.header},
            ).prepare()
            try:
                answer = _send(adapter, request)
                if line.is_cut:
                    # What was cut off in its head looks like a head that has ended there.
                    raise NoAnswerError(_LATE)
                return answer
            except NoConnectionError as error:
                if not _has_not_left(error) or address == addresses[-1]:
                    raise NoAnswerError(_said(error, line)) from None
            except (RequestException, HTTPError, OSError) as error:
                raise NoAnswerError(_said(error, line)) from None
    raise NoAnswerError("Its name has no address.")


def _send(adapter: HTTPAdapter, request: PreparedRequest) -> Answer:
    # The one variable of the environment that counts: an authority of one's own.
    verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    timeout = (CONNECT_SECONDS, SECONDS)
    with closing(adapter.send(request, stream=True, timeout=timeout, verify=verify)) as response:
        return Answer(response.status_code, response.headers.get("Retry-After", ""))


class _Line:
    """The connection of now, to be cut when the time is over. A receiver that sends a byte now and
    then would hold a worker for ever: each byte begins the socket's own timeout anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[socket.socket] = []
        self.is_cut = False

    def hold(self, sock: socket.socket) -> None:
        """Another file of the same connection: TLS takes the first away from its object."""
        with self._lock:
            self._held.append(sock.dup())
        if self.is_cut:
            self.cut()

    def cut(self) -> None:
        self.is_cut = True
        with self._lock:
            for sock in self._held:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it is gone already

    def release(self) -> None:
        with self._lock:
            for sock in self._held:
                sock.close()
            self._held.clear()


@contextmanager
def _until_time_is_over() -> Iterator[_Line]:
    line = _Line()
    timer = threading.Timer(SECONDS, line.cut)
    timer.daemon = True
    timer.start()
    try:
        yield line
    finally:
        timer.cancel()
        line.release()


class _Adapter(HTTPAdapter):
    """Connects to the address that the URL holds, and wants the certificate of the place's name."""

    def __init__(self, place: Place, line: _Line) -> None:
        self._names: dict[str, Any] = {}
        if place.scheme == "https":
            name = place.host.rstrip(".")
            self._names = {"server_hostname": name, "assert_hostname": name}
        super().__init__(max_retries=_NEVER_AGAIN)
        self.poolmanager.pool_classes_by_scheme = _pools(line)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **named: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **named, **self._names)


def _pools(line: _Line) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            sock = super()._new_conn()
            line.hold(sock)
            return sock

    class Tls(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            sock = super()._new_conn()
            line.hold(sock)
            return sock

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}


def _has_not_left(error: NoConnectionError) -> bool:
    """Whether no connection was made, so that another address may be tried."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError) or isinstance(error, Timeout)


def _said(error: Exception, line: _Line) -> str:
    """What happened, without what came over the wire."""
    if line.is_cut or isinstance(error, Timeout):
        return _LATE
    if isinstance(error, SSLError):
        return "Its certificate is not valid for its name, or TLS failed."
    if isinstance(error, NoConnectionError) and _has_not_left(error):
        return "It takes no connection."
    return "The connection broke off before it answered."
