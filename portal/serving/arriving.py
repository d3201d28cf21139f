"""Tells when a request has come whole, while its bytes arrive.

It decides nothing else: gunicorn parses the same bytes again, and answers what is malformed. Where
this can't tell the length (RFC 9112, section 6), gunicorn refuses the request, which counts as
whole, then.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus

END_OF_HEAD = b"\r\n\r\n"
LONGEST_HEAD = 65_536
"""Bytes. Above what gunicorn is told to take of a request line and of one header."""
LONGEST_CHUNK_LINE = 32_768
"""Bytes. gunicorn takes fewer, and refuses a longer one without waiting for its end."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding:([^\r\n]*)", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_AUTHORIZED = re.compile(rb"\r\nauthorization:", re.IGNORECASE)
_COOKIES = re.compile(rb"\r\ncookie:([^\r\n]*)", re.IGNORECASE)


class TooLargeError(Exception):
    """The request is longer than it may be."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a body: of anybody's, and of one that comes without ``session_cookie`` or token."""

    body: int
    anonymous_body: int
    session_cookie: bytes

    def of(self, head: bytes) -> int:
        """The limit for a request with this head. It proves nothing: cookies can be made up."""
        if _AUTHORIZED.search(head):
            return self.body
        names = (
            cookie.partition(b"=")[0].strip()
            for line in _COOKIES.findall(head)
            for cookie in line.split(b";")
        )
        return self.body if self.session_cookie in names else self.anonymous_body


class Arriving:
    """One request, from its first byte on."""

    def __init__(self, limits: Limits) -> None:
        self.data = bytearray()
        self.expects_word = False
        """Whether its sender waits for "100 Continue" before the body."""
        self._limits = limits
        self._limit = 0
        self._end: int | None = None
        self._chunks: _Chunks | None = None

    def add(self, part: bytes) -> bool:
        """Whether it is whole now. Raises TooLargeError."""
        seen = len(self.data)
        self.data += part
        if self._end is None and self._chunks is None and not self._has_head(seen):
            return _has_bare_newline(self.data, seen)
        if self._chunks is not None:
            return self._chunks.is_whole(self.data)
        return len(self.data) >= (self._end or 0)

    def _has_head(self, seen: int) -> bool:
        end = self.data.find(END_OF_HEAD, max(0, seen - len(END_OF_HEAD) + 1))
        if end < 0:
            if len(self.data) > LONGEST_HEAD:
                raise TooLargeError(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                    if b"\r\n" in self.data
                    else HTTPStatus.REQUEST_URI_TOO_LONG
                )
            return False
        end += len(END_OF_HEAD)
        head = bytes(self.data[:end])
        self._limit = self._limits.of(head)
        self._read_framing(head)
        self.expects_word = _EXPECTS.search(head) is not None
        return True

    def _read_framing(self, head: bytes) -> None:
        lengths, codings = _LENGTH.findall(head), _CODING.findall(head)
        if codings and not lengths and b"chunked" in codings[-1].lower():
            self._chunks = _Chunks(len(head), self._limit)
            return
        self._end = len(head)
        if codings or len(lengths) != 1 or not lengths[0].isdigit():
            return
        # No more digits than Python turns into a number without complaint.
        if len(lengths[0]) > 18 or int(lengths[0]) > self._limit:
            raise TooLargeError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self._end += int(lengths[0])


class _Chunks:
    """Walks over a body in chunks (RFC 9112, section 7.1), each byte once."""

    def __init__(self, start: int, limit: int) -> None:
        self._at = start
        self._limit = limit
        self._start = start
        self._length = 0
        self._is_behind_chunk = False
        self._in_trailers = False

    def is_whole(self, data: bytearray) -> bool:
        """Whether the last chunk and its trailers have come. Raises TooLargeError."""
        # What stands around many small chunks may be as long as they are, and a little longer.
        if len(data) - self._start > 2 * self._limit + LONGEST_CHUNK_LINE:
            raise TooLargeError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        while not self._in_trailers:
            if self._is_behind_chunk:
                if len(data) < self._at + 2:
                    return False
                if data[self._at : self._at + 2] != b"\r\n":
                    return True
                self._at += 2
                self._is_behind_chunk = False
            end = data.find(b"\r\n", self._at)
            if end < 0:
                return len(data) - self._at > LONGEST_CHUNK_LINE
            size = data[self._at : end].partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]+", size):
                return True
            length = int(size[-16:], 16)
            self._length += length
            if len(size) > 16 or self._length > self._limit:
                raise TooLargeError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            self._in_trailers = length == 0
            self._is_behind_chunk = not self._in_trailers
            self._at = end if self._in_trailers else end + 2 + length
        found = data.find(END_OF_HEAD, self._at)
        self._at = max(self._at, len(data) - len(END_OF_HEAD) + 1)
        return found >= 0


def _has_bare_newline(data: bytearray, seen: int) -> bool:
    """Whether a line of the head ends without CR: gunicorn refuses that without waiting."""
    at = data.find(b"\n", seen)
    while at >= 0:
        if data[at - 1 : at] != b"\r":
            return True
        at = data.find(b"\n", at + 1)
    return False
