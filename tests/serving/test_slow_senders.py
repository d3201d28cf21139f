"""Whoever sends slowly, or not at all, holds nobody else up."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair
from tests.product import ROOT, Product, within
from tests.web import CONFIG, HOST, Web, read, serving

SECONDS = 2
HEAD = f"POST /accounts/login/ HTTP/1.1\r\n{HOST}\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
SLOW = {
    "nothing": "",
    "half a head": HEAD,
    "half a body": f"{HEAD}{FORM}Content-Length: 100\r\n\r\nlogin=",
    "half a chunk": f"{HEAD}{FORM}Transfer-Encoding: chunked\r\n\r\n40\r\nlogin=",
}
"""What a connection has sent, and a byte now and then afterwards."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """With a shorter deadline than production's."""
    directory = tmp_path_factory.mktemp("slow")
    config = directory / "gunicorn.conf.py"
    config.write_text(
        f"__file__ = {str(CONFIG)!r}\n"
        "exec(open(__file__).read())\n"
        "from portal.serving import worker\n"
        f"worker.READ_SECONDS = {SECONDS}\n"
    )
    with serving(directory, ROOT, config) as web:
        yield web


@contextlib.contextmanager
def slow_connections(port: int, number: int) -> Iterator[list[socket.socket]]:
    """Each has sent a part, and sends a byte more every second; who is closed connects again."""
    kinds = list(SLOW.values())
    over = threading.Event()
    opened: list[socket.socket] = []

    def open_one(at: int) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        sock.sendall(kinds[at % len(kinds)].encode())
        return sock

    def trickle() -> None:
        while not over.wait(1):
            for at, sock in enumerate(opened):
                if at % len(kinds):
                    try:
                        sock.sendall(b"x")
                    except OSError:
                        sock.close()
                        opened[at] = open_one(at)

    thread = threading.Thread(target=trickle)
    try:
        opened += [open_one(at) for at in range(number)]
        thread.start()
        yield opened
    finally:
        over.set()
        if thread.ident is not None:
            thread.join()
        for sock in opened:
            sock.close()


def test_a_person_gets_a_key_while_500_connections_send_a_byte_now_and_then() -> None:
    keys = KeyPair()
    with Product() as product, slow_connections(product.port, 500):
        began = time.monotonic()
        engineer = product.sign_in("engineer@example.com")
        for number in range(10):
            token = engineer.request(
                keys,
                workspace=PROD,
                service_account="2",
                name=f"ci-{number}",
                seconds_to_live="3600",
            )
            assert engineer.take(keys, token).startswith("glsa_")
            assert engineer.get("/tokens/").status_code == 200
        assert time.monotonic() - began < 20, "they wait for nobody"


@pytest.mark.parametrize("sent", [sent for sent in SLOW.values() if sent], ids=list(SLOW)[1:])
def test_a_request_that_does_not_come_whole_in_time_is_told_so_and_closed(
    web: Web, sent: str
) -> None:
    with web.connect() as sock:
        sock.sendall(sent.encode())
        began = time.monotonic()
        answer = read(sock).decode()
        assert SECONDS - 0.5 < time.monotonic() - began < SECONDS + 3
    assert answer.startswith("HTTP/1.1 408 Request Timeout\r\n")
    assert "took too long to send this" in answer
    assert "Cache-Control: no-store" in answer


def test_a_connection_that_says_nothing_is_closed_without_a_word(web: Web) -> None:
    """Browsers open some beforehand, and would take an answer for that to their next request."""
    with web.connect() as sock:
        assert read(sock) == b""


def test_bytes_that_keep_coming_do_not_prolong_the_deadline(web: Web) -> None:
    began = time.monotonic()
    with web.connect() as sock:
        with contextlib.suppress(OSError):
            sock.sendall(SLOW["half a body"].encode())
            for _ in range(60):
                time.sleep(0.1)
                sock.sendall(b"x")
        assert time.monotonic() - began < SECONDS + 3


def test_many_that_are_answered_and_never_close_hold_nobody_up(web: Web) -> None:
    """gunicorn's own main loop waits two seconds for each."""
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            sock = stack.enter_context(web.connect())
            sock.sendall(f"GET /healthz HTTP/1.1\r\n{HOST}\r\nConnection: close\r\n\r\n".encode())
            assert sock.recv(65536)
        began = time.monotonic()
        for _ in range(20):
            assert web.answers()
        assert time.monotonic() - began < 2


def test_a_browser_that_waits_for_a_word_before_the_body_gets_it(web: Web) -> None:
    with web.connect() as sock:
        head = f"{HEAD}{FORM}Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        sock.sendall(head.encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(b"a=b")
        assert b"HTTP/1.1 301 " in read(sock)


def test_two_requests_that_come_at_once_are_both_answered(web: Web) -> None:
    ask = f"GET /healthz HTTP/1.1\r\n{HOST}\r\n"
    with web.connect() as sock:
        sock.sendall(f"{ask}\r\n{ask}Connection: close\r\n\r\n".encode())
        assert read(sock).count(b"\r\n\r\nok\n") == 2


def test_a_kept_connection_is_served_again(web: Web) -> None:
    with web.connect() as sock:
        for _ in range(3):
            sock.sendall(f"GET /healthz HTTP/1.1\r\n{HOST}\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"\r\n\r\nok\n"):
                part = sock.recv(65536)
                assert part, answer
                answer += part
            assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("framing", ["Content-Length: 70000", "Transfer-Encoding: chunked"])
def test_a_stranger_may_send_little(web: Web, framing: str) -> None:
    with web.connect() as sock:
        sock.sendall(f"{HEAD}{FORM}{framing}\r\n\r\n11170\r\n".encode())
        for _ in range(7):
            sock.sendall(b"x" * 10_000)
        answer = read(sock).decode()
    assert answer.startswith("HTTP/1.1 413 ")
    assert "This is too long" in answer


def test_a_process_that_stops_does_not_wait_for_slow_senders(tmp_path: Path) -> None:
    with serving(tmp_path) as web, slow_connections(web.port, 20):
        assert web.process is not None
        began = time.monotonic()
        web.process.terminate()
        assert web.process.wait(30) == 0
        assert time.monotonic() - began < 10


def test_a_process_that_stops_does_not_wait_for_workers_that_have_just_begun(
    tmp_path: Path,
) -> None:
    """Neither for one that is about to begin its work, nor for one that is not yet itself."""
    config = tmp_path / "gunicorn.conf.py"
    config.write_text(
        "import os, time\n"
        "forks = []\n"
        # Registered first, it runs first: a worker that has the master's handlers, for long.
        "os.register_at_fork(\n"
        "    before=lambda: forks.append(1),\n"
        "    after_in_child=lambda: time.sleep(4 if len(forks) > 1 else 0),\n"
        ")\n"
        f"__file__ = {str(CONFIG)!r}\n"
        "exec(open(__file__).read())\n"
        "graceful_timeout = 300\n"
        "begin = post_fork\n"
        "def post_fork(server, worker):\n"
        "    begin(server, worker)\n"
        "    time.sleep(300 if worker.age > 1 else 0)\n"
    )
    with serving(tmp_path, ROOT, config) as web:
        assert web.process is not None
        web.process.terminate()
        assert web.process.wait(100) == 0


def test_the_log_tells_how_many_were_too_slow(web: Web) -> None:
    with slow_connections(web.port, 40):
        assert within(10, lambda: "requests were not sent within" in web.log.read_text())
