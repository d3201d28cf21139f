"""As little HTTP/1.1 as a load generator needs: http.client spends half a millisecond an answer."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT = 60.0
MOST_AT_ONCE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """Its value; "" when the answer has none of this name."""
        start = self.head.lower().find(f"\r\n{name.lower()}:".encode())
        if start < 0:
            return ""
        line = self.head[start + 2 :].partition(b"\r\n")[0]
        return line.partition(b":")[2].strip().decode("latin-1")


class Connection:
    """One kept-alive connection to a portal, opened on first use; ``headers`` go with each request.

    Reads answers of a known length alone, which is all that Django sends.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        address = urlsplit(url)
        self._address = (address.hostname or "", address.port or 80)
        lines = {"Host": address.netloc, **headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._socket: socket.socket | None = None

    def exchange(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Send one request and read its answer. Raises OSError when the connection breaks."""
        lines = [f"{method} {path} HTTP/1.1\r\n{self._head}"]
        if body is not None:
            lines.append("Content-Type: application/x-www-form-urlencoded\r\n")
            lines.append(f"Content-Length: {len(body)}\r\n")
        self._connected().sendall("".join([*lines, "\r\n"]).encode("latin-1") + (body or b""))
        return self._read()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, TIMEOUT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _read(self) -> Answer:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        answer = Answer(int(head[9:12]), head, b"")
        length = int(answer.header("Content-Length"))
        while len(body) < length:
            body += self._more()
        if answer.header("Connection").lower() == "close":
            self.close()
        return Answer(answer.status, head, body)

    def _more(self) -> bytes:
        received = self._connected().recv(MOST_AT_ONCE)
        if not received:
            raise ConnectionResetError("the portal closed the connection")
        return received
