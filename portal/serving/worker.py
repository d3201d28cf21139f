"""gunicorn's threaded worker, whose threads are given requests that have come whole.

gunicorn's own hands a connection to a thread at its first byte, and the thread waits for the rest
as long as its sender likes: as many slow senders as there are threads, and nobody is answered. Here
the main loop collects each request without waiting for any, and closes what takes too long
(docs/decisions/0026).
"""

import socket
import struct
import sys
import time
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any

from django.conf import settings
from gunicorn import util
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from gunicorn.workers.gthread import ThreadWorker

from portal.serving.arriving import Arriving, Limits, TooLargeError
from portal.serving.connection import Coming, Connection, most_waiting
from portal.views.refused import refusal

READ_SECONDS = 30.0
"""In which a request comes whole, from its first byte or from the connection's beginning."""
YOUNG_SECONDS = 0.1
"""So long a connection counts as one that a thread is needed for, though it has not come whole."""
LINGER_SECONDS = 2.0
"""How long an answer's reader may take to close what we have closed (RFC 9112, section 9.6)."""
STALLED_SECONDS = 30
"""After which a thread gives up somebody who takes nothing of an answer."""
ANONYMOUS_BODY = 65_536
"""Bytes. The longest form that needs no sign-in has a few hundred."""
MOST_COLLECTED = 64 * 1024 * 1024
"""Bytes of unfinished requests in one process; above it the oldest goes."""
PART = 65_536
PARTS_AT_ONCE = 8
"""So much is read of one connection before the others have their turn."""
TELL_SECONDS = 60.0

REFUSALS = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Everything here runs in the main loop, but for ``handle_error``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_at_work: int = self.cfg.worker_connections
        # What gunicorn counts is more than what a thread is needed for; `_has_room` counts that.
        self.worker_connections = sys.maxsize
        self.arriving: dict[Connection, Coming] = {}
        """Oldest first."""
        self.young: dict[Connection, float] = {}
        self.lingering: dict[Connection, float] = {}
        """Until when, the next first."""
        self.collected = 0
        self.most_waiting = most_waiting()
        self.read_seconds = READ_SECONDS
        self.limits = Limits(
            settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            ANONYMOUS_BODY,
            settings.SESSION_COOKIE_NAME.encode(),
        )
        self.too_slow = 0
        self.told_at = -TELL_SECONDS

    # -- From accept to a thread -------------------------------------------------------------------

    def accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another process was quicker, or its sender has gone
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STALLED_SECONDS, 0))
        self.nr_conns += 1
        self.enqueue_req(Connection(self.linger, self.cfg, sock, address, listener.getsockname()))

    def enqueue_req(self, conn: Connection) -> None:
        """Collect its next request; what has come with the last one is a part of it."""
        if self.cfg.is_ssl:  # its bytes mean nothing before the handshake, which a thread does
            super().enqueue_req(conn)
            return
        begun = b"" if conn.parser is None else conn.parser.unreader.take_buffered()
        conn.sock.setblocking(False)
        now = time.monotonic()
        self.arriving[conn] = Coming(now, Arriving(self.limits))
        self.young[conn] = now
        if not begun or not self._add(conn, begun):
            self._read(conn, conn.sock)
        self._weigh()

    def _read(self, conn: Connection, sock: Any) -> None:
        for _ in range(PARTS_AT_ONCE):
            if conn not in self.arriving:  # another one's event has made way
                return
            try:
                part = sock.recv(PART)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                part = b""
            if not part:
                self._forget(conn)
                self._end(conn)
                return
            if self._add(conn, part):
                return
        self._watch(conn)
        self._make_way()

    def _watch(self, conn: Connection) -> None:
        coming = self.arriving[conn]
        if not coming.is_watched:
            self.poller.register(conn.sock, EVENT_READ, partial(self._read, conn))
            coming.is_watched = True

    def _add(self, conn: Connection, part: bytes) -> bool:
        """Whether there is nothing more to read."""
        request = self.arriving[conn].request
        self.collected += len(part)
        try:
            is_whole = request.add(part)
        except TooLargeError as error:
            self._refuse(conn, error.status)
            return True
        if is_whole:
            self._forget(conn)
            conn.data_ready = True
            conn.init()
            conn.parser.unreader.unread(bytes(request.data))
            super().enqueue_req(conn)
        elif request.expects_word:
            request.expects_word = False
            self._send(conn, CONTINUE)
        return is_whole

    # -- What comes to nothing ---------------------------------------------------------------------

    def _forget(self, conn: Connection) -> None:
        coming = self.arriving.pop(conn)
        self.collected -= len(coming.request.data)
        self.young.pop(conn, None)
        if coming.is_watched:
            self.poller.unregister(conn.sock)

    def _end(self, conn: Connection, *, graceful: bool = False) -> None:
        self.nr_conns -= 1
        conn.close(graceful)

    def _refuse(self, conn: Connection, status: HTTPStatus) -> None:
        self._forget(conn)
        self._send(conn, refusal(status))
        self._end(conn, graceful=True)

    def _send(self, conn: Connection, answer: bytes) -> None:
        try:
            conn.sock.send(answer)
        except OSError as error:
            self.log.debug("Nobody takes an answer: %s", error)

    def linger(self, conn: Connection) -> None:
        """Take what is still being sent, so that our last answer is not thrown away with it."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it is closed already
            util.close(conn.sock)
            return
        if not self.alive:
            util.close(conn.sock)
            return
        self.lingering[conn] = time.monotonic() + LINGER_SECONDS
        self.poller.register(conn.sock, EVENT_READ, partial(self._discard, conn))

    def _discard(self, conn: Connection, sock: Any) -> None:
        if conn not in self.lingering:
            return
        try:
            rest = sock.recv(PART)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            rest = b""
        if not rest:
            self._let_go(conn)

    def _let_go(self, conn: Connection) -> None:
        del self.lingering[conn]
        self.poller.unregister(conn.sock)
        util.close(conn.sock)

    def _make_way(self) -> None:
        """For whoever comes next, at the cost of who has taken longest."""
        while len(self.arriving) + len(self.lingering) > self.most_waiting:
            if self.lingering:
                self._let_go(next(iter(self.lingering)))
            else:
                self._give_up(next(iter(self.arriving)))
        while self.collected > MOST_COLLECTED:
            self._give_up(next(iter(self.arriving)))

    def _give_up(self, conn: Connection) -> None:
        if self.arriving[conn].request.data:
            self.too_slow += 1
            self._refuse(conn, HTTPStatus.REQUEST_TIMEOUT)
        else:  # a browser that has connected beforehand expects no answer
            self._forget(conn)
            self._end(conn)

    def murder_pending(self) -> None:
        """gunicorn's loop calls this at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        while self.arriving:
            conn, coming = next(iter(self.arriving.items()))
            if coming.since + self.read_seconds > now:
                break
            self._give_up(conn)
        while self.lingering:
            conn, until = next(iter(self.lingering.items()))
            if until > now:
                break
            self._let_go(conn)
        if self.too_slow and self.told_at + TELL_SECONDS < now:
            self.log.warning(
                "%d requests were not sent within %d s, and their connections closed",
                self.too_slow,
                READ_SECONDS,
            )
            self.too_slow, self.told_at = 0, now
        self._weigh()

    # -- Who may come in ---------------------------------------------------------------------------

    def _has_room(self) -> bool:
        """Whether threads will soon be free: slow senders need none, and may be many."""
        now = time.monotonic()
        while self.young and next(iter(self.young.values())) + YOUNG_SECONDS < now:
            del self.young[next(iter(self.young))]
        slow = len(self.arriving) - len(self.young)
        return bool(self.nr_conns - slow < self.max_at_work)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled and self._has_room())

    def _weigh(self) -> None:
        if self.alive:
            self.set_accept_enabled(True)

    def finish_request(self, conn: Connection, fs: Any) -> None:
        super().finish_request(conn, fs)
        self._weigh()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        if self.young and not self._accepting:
            timeout = min(timeout, YOUNG_SECONDS)
        super().wait_for_and_dispatch_events(timeout)

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that stops waits for nobody longer than for those that it keeps alive."""
        super()._cap_keepalive(deadline)
        self.read_seconds = deadline - time.monotonic()

    # -- In a thread -------------------------------------------------------------------------------

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        """Say in our words what is too long; people meet that with links and cookies."""
        status = REFUSALS.get(type(exc))
        if status is None:
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("Invalid request from ip=%s: %s", addr[0] if addr else "", exc)
        try:
            util.write_nonblock(client, refusal(status))
        except OSError:
            self.log.debug("Failed to send error message.")
