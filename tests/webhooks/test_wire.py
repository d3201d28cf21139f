"""One call of a receiver: where it goes, what it believes, and when it stops waiting."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from portal.webhooks import places, wire
from portal.webhooks.places import Place, RefusedError
from portal.webhooks.wire import NoAnswerError
from tests.grafana.certificates import self_signed
from tests.webhooks.names import Names
from tests.webhooks.receiver import Receiver

HERE = [ip_address("127.0.0.1")]
HOME = [ip_network("127.0.0.1/32")]


def place_of(receiver: Receiver, host: str = "127.0.0.1") -> Place:
    return Place(receiver.scheme, host, receiver.port, "/in?x=1")


def post(place: Place, *addresses: str) -> wire.Answer:
    return wire.post(place, [ip_address(one) for one in addresses] or HERE, b"{}", {"X-A": "b"})


def test_it_is_posted_once_with_the_name_as_host() -> None:
    with Receiver() as receiver:
        assert post(place_of(receiver, "hooks.example.com")).status == 200
    [posted] = receiver.posted
    assert (posted.path, posted.body, posted.headers["x-a"]) == ("/in?x=1", "{}", "b")
    assert posted.headers["host"] == f"hooks.example.com:{receiver.port}"
    assert posted.headers["user-agent"] == "grafana-token-portal"
    assert "cookie" not in posted.headers
    assert "authorization" not in posted.headers


def test_a_name_that_changes_between_look_and_call_gets_nowhere_else(names: Names) -> None:
    """DNS rebinding: what was judged is what is connected to, whatever the name says by then."""
    with Receiver() as judged:
        place = place_of(judged, "rebinds.example")
        names.say("rebinds.example", ["127.0.0.1"], ["127.0.0.2"])
        addresses = places.look_up(place, HOME)
        assert wire.post(place, addresses, b"{}", {}).status == 200
        assert names.asked == ["rebinds.example"], "it is looked up once"
        assert len(judged.posted) == 1
        with pytest.raises(RefusedError):
            places.look_up(place, HOME)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Receiver() as inside, Receiver() as receiver:
        receiver.answer = lambda: (status, {"Location": inside.url()})
        assert post(place_of(receiver)).status == status
    assert inside.posted == []


def test_proxies_and_passwords_of_this_machine_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Receiver() as receiver:
        assert post(place_of(receiver)).status == 200
    assert "authorization" not in receiver.posted[0].headers


def test_the_certificate_is_of_the_name_and_not_of_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path, host="hooks.example.com")
    with Receiver(certificate.context) as receiver:
        with pytest.raises(NoAnswerError, match="certificate"):
            post(place_of(receiver, "hooks.example.com"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.bundle))
        assert post(place_of(receiver, "hooks.example.com")).status == 200
        assert post(place_of(receiver, "127.0.0.1")).status == 200
        with pytest.raises(NoAnswerError, match="certificate"):
            post(place_of(receiver, "other.example.com"))
    assert len(receiver.posted) == 2


def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    with Receiver() as receiver:
        assert post(place_of(receiver), "127.0.0.2", "127.0.0.1").status == 200
        with pytest.raises(NoAnswerError, match="no connection"):
            post(place_of(receiver), "127.0.0.2", "127.0.0.3")
    assert len(receiver.posted) == 1


def test_a_receiver_says_for_how_long_it_wants_to_be_left_alone() -> None:
    with Receiver() as receiver:
        for said, pause in (("30", 30), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-5", 0), ("²", 0)):
            receiver.answer = lambda said=said: (429, {"Retry-After": said})  # type: ignore[misc]
            assert post(place_of(receiver)).pause == pause


# -- Receivers that hold a worker ---------------------------------------------------------------


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[socket.socket], None]], Place]]:
    """Have a server that speaks as a function does with each connection."""
    server = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def start(speak: Callable[[socket.socket], None]) -> Place:
        def run() -> None:
            while not stopped.is_set():
                try:
                    connection, _ = server.accept()
                    with connection:
                        speak(connection)
                except OSError:
                    continue

        threading.Thread(target=run, daemon=True).start()
        return Place("http", "127.0.0.1", server.getsockname()[1], "/")

    yield start
    stopped.set()
    server.close()


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def say_nothing(connection: socket.socket) -> None:
    connection.recv(100_000)
    while connection.recv(1):
        pass


@pytest.mark.parametrize("speak", [drip, say_nothing])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_receiver_that_drips_or_hangs_is_cut_off(
    listen: Callable[..., Place],
    monkeypatch: pytest.MonkeyPatch,
    speak: Callable[[socket.socket], None],
    scheme: str,
) -> None:
    """Over https the handshake hangs: what is spoken there is no TLS."""
    monkeypatch.setattr(wire, "SECONDS", 0.5)
    place = listen(speak)
    began = time.monotonic()
    with pytest.raises(NoAnswerError):
        post(Place(scheme, place.host, place.port, "/"))
    assert time.monotonic() - began < 30, "and not for as long as it drips"


def test_of_an_answer_nothing_is_read_but_its_head(listen: Callable[..., Place]) -> None:
    sent = []

    def flood(connection: socket.socket) -> None:
        connection.recv(100_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        for _ in range(10_000):
            sent.append(connection.send(b"x" * 100_000))

    assert post(listen(flood)).status == 200
    assert sum(sent) < 500_000_000


def test_what_is_no_http_is_no_answer(listen: Callable[..., Place]) -> None:
    with pytest.raises(NoAnswerError):
        post(listen(lambda connection: connection.sendall(b"220 smtp ESMTP\r\n") or None))
