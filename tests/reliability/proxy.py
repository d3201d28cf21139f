"""A proxy before PostgreSQL that cuts a connection at a chosen statement.

It reads the frontend's messages (https://www.postgresql.org/docs/current/protocol-message-formats.html)
so far as to know which carry SQL, and where the backend's answer to one ends.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PROTOCOL_3 = 196_608
"""The code of a StartupMessage; SSLRequest and its like have others, and come before it."""
CARRY_SQL = (b"Q", b"P")
"""Query and Parse."""
READY_FOR_QUERY = b"Z\0\0\0\5"
"""The head of the backend's last message in answer to a statement; one byte follows."""


@dataclass(slots=True)
class Cut:
    """At the last of these texts, when statements that hold them come in this order.

    ``answered`` tells whether the server has done that statement: then only its answer is lost.
    """

    texts: list[str]
    answered: bool

    def meets(self, sql: bytes) -> bool:
        """Count a statement; whether it is the one."""
        if self.texts and self.texts[0].encode() in sql:
            del self.texts[0]
            return not self.texts
        return False


class Proxy:
    """Relays from a port of its own to the server's ``port``; cuts one connection when told to."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[_Connection] = []
        self.cut: Cut | None = None
        """What is still to be cut; None once it is done."""
        self.is_away = False
        """Whether the server seems to be down: whoever comes is turned away."""

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def lead_to(self, port: int) -> None:
        """Whoever connects from now on reaches this port; who is connected stays where they are."""
        self._server = ("127.0.0.1", port)

    def cut_before(self, *texts: str) -> None:
        """Cut when the last of these is about to reach the server."""
        self.cut = Cut(list(texts), answered=False)

    def cut_after(self, *texts: str) -> None:
        """Cut when the server has done the last of these, before the client hears of it."""
        self.cut = Cut(list(texts), answered=True)

    def go_away(self) -> None:
        """Cut everything, and refuse what comes, until ``is_away`` is taken back."""
        self.is_away = True
        while self._connections:
            self._connections.pop().close()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _close(self._listener)
        self.go_away()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            if self.is_away:
                _close(client)
            else:
                connection = _Connection(self, client, socket.create_connection(self._server))
                self._connections.append(connection)
                for relay in (connection.relay_statements, connection.relay_answers):
                    threading.Thread(target=relay, daemon=True).start()


class _Connection:
    """One client's way to the server and back."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._keeps_answers = False

    def relay_statements(self) -> None:
        with contextlib.suppress(OSError):
            for kind, message in _messages(self._client):
                cut = self._proxy.cut
                if kind in CARRY_SQL and cut is not None and cut.meets(message):
                    self._proxy.cut = None
                    if not cut.answered:
                        break
                    self._keeps_answers = True
                self._server.sendall(message)
        self.close()

    def relay_answers(self) -> None:
        kept = b""
        with contextlib.suppress(OSError):
            while data := self._server.recv(65_536):
                if not self._keeps_answers:
                    self._client.sendall(data)
                    continue
                kept += data
                if kept[-6:-1] == READY_FOR_QUERY:
                    break
        self.close()

    def close(self) -> None:
        _close(self._client)
        _close(self._server)


def _messages(client: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Whole frontend messages with their kind; the first ones have none."""
    stream = client.makefile("rb")
    code = 0
    while code != PROTOCOL_3 and (length := stream.read(4)):
        rest = stream.read(int.from_bytes(length) - 4)
        code = int.from_bytes(rest[:4])
        yield b"", length + rest
    while kind := stream.read(1):
        length = stream.read(4)
        yield kind, kind + length + stream.read(int.from_bytes(length) - 4)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
