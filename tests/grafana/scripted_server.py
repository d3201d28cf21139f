"""A real HTTP server on loopback that does to each request what a test tells it to.

It keeps the bytes as they came in, and it can break off, drip, stay silent or talk nonsense, which
a well-mannered server library would not.
"""

import json
import re
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

DATE = "Tue, 03 Nov 2026 10:00:00 GMT"
REQUEST_ID = "7f9c24e8-3b1a-4b5e-9c55-0e4d2f3a6b71"


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it stood on the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    """With names in lower case."""
    body: bytes
    connection: int
    """The how manieth connection it came in on, from 0."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """The server's end of one connection, as a reply sees it."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._sock = sock
        self._stopping = stopping

    def write(self, data: bytes) -> None:
        self._sock.sendall(data)

    def pause(self, seconds: float | None = None) -> None:
        """Wait, without a number until the server is stopped."""
        self._stopping.wait(seconds)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Reply = Callable[[Connection], bool]
"""Writes whatever it likes; returns whether the connection stays open for another request."""


def http_message(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Whatever",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answer(
    status: int = 200,
    body: object = b"",
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str | None] | None = None,
) -> Reply:
    """A whole answer in good order. A body that is not bytes is sent as JSON; a header that is
    None is left out."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    merged: dict[str, str | None] = {
        "Date": DATE,
        "Content-Type": content_type,
        "Content-Length": str(len(data)),
        "x-amzn-RequestId": REQUEST_ID,
        **(headers or {}),
    }
    message = http_message(
        status, data, {name: value for name, value in merged.items() if value is not None}
    )

    def reply(connection: Connection) -> bool:
        connection.write(message)
        return True

    return reply


def refusal(
    status: int,
    code: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Reply:
    """An error as AMG writes it."""
    return answer(
        status,
        {"message": message, **members},
        headers={"x-amzn-ErrorType": code, **(headers or {})},
    )


def broken_off(data: bytes = b"", *, reset: bool = False) -> Reply:
    """Some bytes or none, and the connection is closed."""

    def reply(connection: Connection) -> bool:
        connection.write(data)
        if reset:
            connection.reset()
        return False

    return reply


def silence(data: bytes = b"") -> Reply:
    """Some bytes or none, and then nothing more while the connection stays open."""

    def reply(connection: Connection) -> bool:
        connection.write(data)
        connection.pause()
        return False

    return reply


def dripping(start: bytes, drop: bytes, *, every: float) -> Reply:
    """A byte or so at a time, a hundred times: each restarts a timeout that counts from it."""

    def reply(connection: Connection) -> bool:
        connection.write(start)
        for _ in range(100):
            connection.pause(every)
            connection.write(drop)
        return False

    return reply


class ScriptedServer:
    """Listens on a free port of 127.0.0.1, with TLS if given a context.

    ``script`` queues replies; with none left every request gets a 200 with an empty object.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[ReceivedRequest] = []
        self.connections = 0
        self._tls = tls
        self._replies: deque[Reply] = deque()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def script(self, *replies: Reply) -> None:
        """Reply so to the coming requests, in this order, and forget the past ones."""
        self.requests.clear()
        self._replies = deque(replies)

    def forget(self) -> None:
        """Be as a new server, but for the connections that are open."""
        self.script()
        self.connections = 0

    def close_idle_connections(self) -> None:
        """What a load balancer does to a connection that nobody has used for a while."""
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close_idle_connections()
        for thread in self._threads:
            thread.join(timeout=10)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            number, self.connections = self.connections, self.connections + 1
            self._start(self._serve, sock, number)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with suppress(OSError), sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with sock, sock.makefile("rb") as stream:
                self._open.add(sock)
                try:
                    self._converse(sock, stream, number)
                finally:
                    self._open.discard(sock)

    def _converse(self, sock: socket.socket, stream: Any, number: int) -> None:
        connection = Connection(sock, self._stopping)
        while (request := _read_request(stream, number)) is not None:
            self.requests.append(request)
            reply = self._replies.popleft() if self._replies else answer(200, {})
            if not reply(connection):
                return


def _read_request(stream: Any, number: int) -> ReceivedRequest | None:
    start = re.fullmatch(rb"(\S+) (\S+) HTTP/1\.[01]\r\n", stream.readline())
    if start is None:
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    return ReceivedRequest(start[1].decode(), start[2].decode(), headers, body, number)
