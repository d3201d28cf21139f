"""The audit log goes elsewhere in order, at least once, and is resumed after a crash."""

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal import audit, streams
from portal.audit import SYSTEM, keys
from portal.audit.verify import BrokenError, verify_stream
from portal.flows import stream_audit as flow
from portal.flows.stream_audit import stream_audit
from portal.models import Action, AuditEvent, Tally, Token
from portal.streams import Stream

pytestmark = pytest.mark.django_db


class Receiver:
    """Takes what is posted, unless it is told what to answer instead."""

    def __init__(self) -> None:
        receiver = self
        self.bodies: list[bytes] = []
        self.answers: list[int] = []
        self.headers: list[dict[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.headers.append(dict(self.headers))
                status = receiver.answers.pop(0) if receiver.answers else 200
                # One that keeps them and then fails to say so.
                if status in (200, 504):
                    receiver.bodies.append(body)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def lines(self) -> bytes:
        return b"".join(self.bodies)

    def numbers(self) -> list[int]:
        return [json.loads(line)["seq"] for line in self.lines.splitlines()]


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    receiver = Receiver()
    settings.AUDIT_STREAM = Stream(receiver.url)
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def happen(times: int) -> None:
    for _ in range(times):
        with transaction.atomic():
            audit.record(Action.SIGNIN_SUCCEEDED, actor=SYSTEM)


def test_what_is_sent_is_the_log_and_can_be_verified(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "BATCH", 3)
    happen(7)
    assert stream_audit() == 7
    happen(2)
    assert stream_audit() == 2
    assert stream_audit() == 0
    assert receiver.numbers() == list(range(1, 10))
    assert [len(body.splitlines()) for body in receiver.bodies] == [3, 3, 1, 2]
    assert receiver.headers[0]["Content-Type"] == "application/x-ndjson"
    said = verify_stream(io.BytesIO(receiver.lines), keys.every(), {})
    assert said.startswith("9 events, sent up to 9:")
    altered = receiver.lines.replace(b"signin.succeeded", b"signin.forgotten", 1)
    with pytest.raises(BrokenError):
        verify_stream(io.BytesIO(altered), keys.every(), {})
    with pytest.raises(BrokenError):
        verify_stream(io.BytesIO(b"".join(receiver.lines.splitlines(True)[1:])), keys.every(), {})


def test_what_was_not_taken_is_sent_again_and_comes_before_what_follows(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "BATCH", 2)
    happen(4)
    receiver.answers = [200, 503]
    assert stream_audit() == 2
    happen(1)
    receiver.answers = [504]
    assert stream_audit() == 0
    assert stream_audit() == 3
    assert receiver.numbers() == [1, 2, 3, 4, 3, 4, 5]
    assert "5 events" in verify_stream(io.BytesIO(receiver.lines), keys.every(), {})


def test_of_two_schedulers_one_sends(receiver: Receiver) -> None:
    happen(1)
    lease = flow._take_lease()
    assert lease is not None
    assert stream_audit() == 0
    assert receiver.bodies == []
    # Its holder is gone, and its time is over.
    past = (timezone.now() - timedelta(seconds=1)).timestamp()
    Tally.objects.filter(metric="audit_stream_lease").update(value=past)
    assert stream_audit() == 1


def test_a_receiver_that_is_away_holds_nobody_up_and_is_told(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(1)
    receiver.answers = [500]
    stream_audit()
    happen(1)
    later = AuditEvent.objects.earliest("seq").at + timedelta(seconds=400)
    with monkeypatch.context() as patch:
        patch.setattr(type(Token.objects), "database_now", lambda _: later)
        said = Client().get("/metrics").content.decode()
    assert "portal_audit_stream_lag_seconds 400.0" in said
    stream_audit()
    said = Client().get("/metrics").content.decode()
    assert "portal_audit_stream_lag_seconds 0.0" in said


def test_in_the_process_log_each_event_is_one_line(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AUDIT_STREAM = Stream("log")
    happen(2)
    with caplog.at_level(logging.INFO, "portal.audit.stream"):
        assert stream_audit() == 2
    lines = [one for one in caplog.records if one.message == "audit.event"]
    assert [(one.seq, one.action) for one in lines] == [  # type: ignore[attr-defined]
        (1, "signin.succeeded"),
        (2, "signin.succeeded"),
    ]
    assert lines[1].prev_hash == lines[0].hash  # type: ignore[attr-defined]


def test_without_the_setting_nothing_is_sent_nor_told(settings: Settings) -> None:
    happen(1)
    assert stream_audit() == 0
    assert "audit_stream_lag" not in Client().get("/metrics").content.decode()


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("log", True),
        ("https://siem.example.com/in", True),
        ("https://user:p%40ss@siem.example.com", True),
        ("http://127.0.0.1:9/in", True),
        ("http://siem.example.com/in", False),
        ("ftp://siem.example.com/in", False),
        ("yes", False),
        ("https://", False),
    ],
)
def test_the_setting_is_log_or_an_address(text: str, right: bool) -> None:
    parse: Callable[[str], object] = streams.parse
    if right:
        assert parse(text)
    else:
        with pytest.raises(ValueError, match=r".*"):
            parse(text)
