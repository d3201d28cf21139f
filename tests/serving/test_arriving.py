"""When a request has come whole: told byte by byte, and as gunicorn reads it."""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.serving.arriving import (
    LONGEST_CHUNK_LINE,
    LONGEST_HEAD,
    Arriving,
    Limits,
    TooLargeError,
)

LIMITS = Limits(body=1000, anonymous_body=100, session_cookie=b"__Host-sessionid")
SIGNED_IN = b"Cookie: a=b; __Host-sessionid=abc\r\n"


def post(body: bytes, *headers: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", length, *headers, b"", body])


def chunked(body: bytes, *, trailers: bytes = b"") -> bytes:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + body + b"0\r\n" + trailers + b"\r\n"


WHOLE = {
    "without a body": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "without headers": b"GET / HTTP/1.0\r\n\r\n",
    "after an empty line": b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "with a body": post(b"a=b"),
    "with an empty body": post(b""),
    "with a body that looks like a head": post(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
    "in chunks": chunked(b"3\r\na=b\r\n10;name=value\r\n0123456789abcdef\r\n"),
    "in no chunks": chunked(b""),
    "in chunks that look like the end": chunked(b"5\r\n0\r\n\r\n\r\n"),
    "with trailers": chunked(b"3\r\na=b\r\n", trailers=b"Checksum: 1\r\n"),
}


@pytest.mark.parametrize("request_", WHOLE.values(), ids=WHOLE)
def test_a_request_is_whole_at_its_last_byte_and_not_before(request_: bytes) -> None:
    arriving = Arriving(LIMITS)
    assert [arriving.add(bytes([byte])) for byte in request_] == [
        *[False] * (len(request_) - 1),
        True,
    ]
    assert arriving.data == request_
    assert Arriving(LIMITS).add(request_ + b"GET / HTTP/1.1")


class _Wire:
    """A source that tells whether more was asked of it than there is."""

    def __init__(self, data: bytes) -> None:
        self._parts = [data]
        self.asked_for_more = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._parts:
            self.asked_for_more = True
            raise StopIteration
        return self._parts.pop()


def gunicorn_wants_more(data: bytes) -> bool:
    wire = _Wire(data)
    parser: Any = RequestParser(Config(), wire, ("127.0.0.1", 1))
    with contextlib.suppress(Exception):  # it refuses, or it wants more: that is what is asked here
        next(parser).body.read()
    return wire.asked_for_more


LINES = st.sampled_from(
    [
        b"Host: a",
        b"Content-Length: 0",
        b"Content-Length: 3",
        b"content-length:\t3 ",
        b"Content-Length: +3",
        b"Content-Length: 3, 3",
        b"Content-Length:",
        b"Content-Length : 3",
        b"Content_Length: 30",
        b"X-Content-Length: 30",
        b"Transfer-Encoding: chunked",
        b"TRANSFER-ENCODING:chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, gzip",
        b"Transfer-Encoding: identity",
        b" continued: 3",
        b"Expect: 100-continue",
    ]
)
BODIES = st.lists(
    st.sampled_from(
        [
            b"a=b",
            b"0\r\n\r\n",
            b"3\r\na=b\r\n",
            b"3\r\na=bcd",
            b"x\r\n",
            b"\r\n",
            b"-1\r\n",
            b"2;\r\nab",
        ]
    ),
    max_size=4,
).map(b"".join)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(LINES, max_size=4),
    BODIES,
    st.sampled_from([b"GET / HTTP/1.1", b"POST / HTTP/1.0", b"\r\nGET / HTTP/1.1", b""]),
)
def test_what_counts_as_whole_makes_gunicorn_wait_for_nothing(
    headers: list[bytes], body: bytes, first: bytes
) -> None:
    """A thread that waits for the rest is what this is there against."""
    data = b"\r\n".join([first, *headers, b"", body])
    arriving = Arriving(LIMITS)
    for end in range(1, len(data) + 1):
        if arriving.add(data[end - 1 : end]):
            assert not gunicorn_wants_more(data[:end]), data[:end]
            break


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1\nHost: a\n\n", b"\n", b"GET / HTTP/1.1\r\nHost: a\n"], ids=repr
)
def test_what_gunicorn_refuses_at_sight_waits_for_nothing(head: bytes) -> None:
    arriving = Arriving(LIMITS)
    assert any(arriving.add(bytes([byte])) for byte in head)


def refused(*parts: bytes) -> HTTPStatus:
    arriving = Arriving(LIMITS)
    with pytest.raises(TooLargeError) as caught:
        assert not any(arriving.add(part) for part in parts)
    return caught.value.status


def test_a_head_without_an_end_is_refused() -> None:
    line = b"GET /" + b"x" * LONGEST_HEAD
    assert refused(line) == HTTPStatus.REQUEST_URI_TOO_LONG
    head = b"GET / HTTP/1.1\r\nCookie: " + b"x" * LONGEST_HEAD
    assert refused(head) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@pytest.mark.parametrize(
    ("headers", "most"),
    [
        ([], 100),
        ([b"Cookie: csrftoken=__Host-sessionid"], 100),
        ([b"Cookie: a=b", b"cookie: __Host-sessionid=abc; c=d"], 1000),
        ([b"Authorization: Bearer abc"], 1000),
    ],
    ids=["nothing", "another cookie", "a session", "a token"],
)
def test_a_body_may_be_as_long_as_its_sender_is_known(headers: list[bytes], most: int) -> None:
    assert Arriving(LIMITS).add(post(b"x" * most, *headers))
    too_long = post(b"x" * (most + 1), *headers)
    head = too_long[: too_long.index(b"\r\n\r\n") + 4]
    assert refused(head) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "before any of it has come"


def test_a_length_that_no_number_holds_is_refused() -> None:
    line = b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"
    assert refused(line) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_a_body_in_chunks_has_the_same_limit() -> None:
    assert Arriving(LIMITS).add(chunked(b"64\r\n" + b"x" * 100 + b"\r\n"))
    long = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert refused(chunked(b"65\r\n")) == long
    assert refused(chunked(b"40\r\n" + b"x" * 64 + b"\r\n" + b"40\r\n")) == long
    assert refused(chunked(b"f" * 17 + b"\r\n")) == long
    only_extensions = b"1;" + b"x" * (LONGEST_CHUNK_LINE // 2) + b"\r\nx\r\n"
    head = chunked(b"")[:-5]
    assert refused(head, *[only_extensions] * 3) == long


def test_whoever_waits_for_a_word_is_known_once_the_head_is_there() -> None:
    whole = post(b"a=b", b"Expect: 100-Continue")
    arriving = Arriving(LIMITS)
    head = whole.index(b"\r\n\r\n") + 4
    known = []
    for part in (whole[: head - 1], whole[head - 1 : head]):
        assert not arriving.add(part)
        known.append(arriving.expects_word)
    assert known == [False, True]
    assert arriving.add(whole[head:])
