"""Requests of a process take turns, and none waits long for its own."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.http import HttpRequest, HttpResponse

from portal import turns
from portal.turns import TurnsMiddleware, aside, turn


class Crowd:
    """Threads that work at once, and how many did at most."""

    def __init__(self) -> None:
        self.most = self.now = 0
        self._lock = threading.Lock()

    def work(self, seconds: float) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(seconds)
        with self._lock:
            self.now -= 1


def at_once() -> int:
    """How many of a crowd work at once, each in a turn."""
    crowd = Crowd()

    def request(_: int) -> None:
        with turn():
            crowd.work(0.01)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(request, range(30)))
    return crowd.most


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST_WAIT", 60.0)


def test_few_work_at_once(patient: None) -> None:
    assert at_once() == turns.AT_ONCE


def test_who_steps_aside_lets_others_work(patient: None) -> None:
    """As many as a process has threads may wait for a token, and its pages still load."""
    all_aside, gone = threading.Barrier(21), threading.Event()

    def wait(_: int) -> bool:
        with turn(), aside():
            all_aside.wait(60)
            return gone.wait(60)

    with ThreadPoolExecutor(20) as pool:
        waiting = pool.map(wait, range(20))
        all_aside.wait(60)
        with turn():
            gone.set()
        assert all(waiting)


def test_nobody_waits_for_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST_WAIT", 0.01)
    all_hang, hang = threading.Barrier(turns.AT_ONCE + 1), threading.Event()

    def request(_: int) -> None:
        with turn():
            all_hang.wait(60)
            hang.wait(60)

    with ThreadPoolExecutor(turns.AT_ONCE) as pool:
        hanging = pool.map(request, range(turns.AT_ONCE))
        all_hang.wait(60)
        for _ in range(3):
            with turn(), aside():
                pass
        hang.set()
        list(hanging)
    monkeypatch.undo()
    assert at_once() == turns.AT_ONCE


def test_a_failed_request_gives_its_turn_back(patient: None) -> None:
    def fails(_: HttpRequest) -> HttpResponse:
        raise RuntimeError

    def fails_aside(_: HttpRequest) -> HttpResponse:
        with aside():
            raise RuntimeError

    for view in (fails, fails_aside):
        for _ in range(2 * turns.AT_ONCE):
            with pytest.raises(RuntimeError):
                TurnsMiddleware(view)(HttpRequest())
    assert at_once() == turns.AT_ONCE


def test_outside_a_turn_there_is_none_to_leave(patient: None) -> None:
    """A test, or a command, calls a view's parts without the middleware."""
    for _ in range(2 * turns.AT_ONCE):
        with aside():
            assert at_once() == turns.AT_ONCE
    assert at_once() == turns.AT_ONCE
