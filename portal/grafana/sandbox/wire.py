"""HTTP/1.1 over asyncio streams: as much of it as AWS's SDKs, curl and browsers send."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 1024 * 1024
BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it stood on the wire: path and query are still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """Names in lower case; a repeated header's values joined by commas."""
    body: bytes
    from_this_machine: bool
    gone: Callable[[], bool]
    """Whether the client has closed its side by now."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    """Send only half of the announced body, then close the connection."""


Handler = Callable[[Request], Awaitable[Response | None]]
"""Answers a request; None closes the connection without an answer."""


class BadRequestError(Exception):
    """What was read is not a request this server understands; the connection can't go on."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Server:
    """Accepts connections and answers the requests of each in turn, kept alive between them."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen on `host`; returns the port, which the system chose if `port` is 0."""
        # asyncio sets TCP_NODELAY on every TCP socket by itself.
        self._server = await asyncio.start_server(
            self._connected, host, port, limit=LARGEST_HEAD, backlog=BACKLOG
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening and cut off every connection, requests in progress included."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("asyncio runs every connection in a task of its own")
        self._connections.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left: nobody is there to be told
        except asyncio.CancelledError:
            writer.transport.abort()  # stop() cut us off; asyncio would log a re-raise
        finally:
            self._connections.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        from_this_machine = ip_address(peer[0]).is_loopback
        keep_alive = True
        while keep_alive:
            try:
                request = await _read_request(reader, from_this_machine=from_this_machine)
            except BadRequestError as error:
                writer.write(_encode(Response(error.status), keep_alive=False))
                await writer.drain()
                return
            if request is None:
                return
            response = await self._handler(request)
            if response is None:
                writer.transport.abort()
                return
            wants_close = "close" in request.headers.get("connection", "").lower()
            keep_alive = not (response.cut or wants_close)
            writer.write(_encode(response, keep_alive=keep_alive))
            await writer.drain()


async def _read_request(reader: asyncio.StreamReader, *, from_this_machine: bool) -> Request | None:
    """The next request of a connection, or None when the client has closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    start, *lines = head[:-4].decode("latin-1").split("\r\n")
    try:
        method, target, version = start.split(" ")
    except ValueError:
        raise BadRequestError(HTTPStatus.BAD_REQUEST) from None
    if version != "HTTP/1.1":
        raise BadRequestError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError(HTTPStatus.BAD_REQUEST)
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    body = await reader.readexactly(_body_length(headers))
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, body, from_this_machine, reader.at_eof)


def _body_length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadRequestError(HTTPStatus.LENGTH_REQUIRED)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequestError(HTTPStatus.BAD_REQUEST)
    if int(length) > LARGEST_BODY:
        raise BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return int(length)


def _encode(response: Response, *, keep_alive: bool) -> bytes:
    """The whole response as one piece, so that it leaves in one segment."""
    head = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
    head += [f"{name}: {value}" for name, value in response.headers.items()]
    head += [
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
    ]
    body = response.body[: len(response.body) // 2] if response.cut else response.body
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def http_date(moment: float) -> str:
    """Epoch seconds as HTTP writes a time (RFC 9110, 5.6.7)."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(moment))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
