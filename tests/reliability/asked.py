"""A request and its person's page: asks, waits, takes the key, and remembers what it was told."""

import contextlib
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import requests

from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair, Person
from tests.product import within

DELIVERED = "active"
UNDER_WAY = ("queued", "issuing")
CLICKS = 5
POLL_SECONDS = 3
PAUSE_SECONDS = 0.25

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """What the page said, and how many seconds after the request."""

    after: float
    state: str
    message: str


class Asked:
    """One request.

    ``takes`` is whether its page fetches the key, as every open page does. ``patient`` is whether
    it asks as pages do, to be told when the state has changed; an impatient one asks four times a
    second, and so reads what stands there for a moment only. ``place`` is a workspace and a service
    account, by their AWS ids.
    """

    def __init__(
        self,
        person: Person,
        keys: KeyPair,
        what: str,
        *,
        takes: bool = True,
        patient: bool = True,
        place: tuple[str, str] = (PROD, "2"),
    ) -> None:
        self.name = f"{what}-{secrets.token_hex(4)}"
        self.takes = takes
        self.patient = patient
        self.place = place
        self.told: list[Told] = []
        self.keys: set[str] = set()
        """Every different key that this page has opened. Of one request there is one at most."""
        self.confirmations = 0
        self.interruptions = 0
        """How often the portal did not answer, and the page asked again."""
        self.seconds: float | None = None
        """From the request to its end, as the page saw it."""
        self.id = ""
        self._person = person
        self._pair = keys
        self._started = 0.0

    @property
    def fields(self) -> dict[str, str]:
        return {
            "workspace": self.place[0],
            "service_account": self.place[1],
            "name": self.name,
            "seconds_to_live": "3600",
            "reason": "",
        }

    def submit(self) -> None:
        """Send the form once."""
        self._started = time.monotonic()
        with self._tab() as tab:
            self.id = tab.request(self._pair, **self.fields)

    def submit_by_double_click(self) -> list[tuple[int, str]]:
        """Send the same form several times at once; status and address of each answer."""

        def send(tab: Person) -> tuple[int, str]:
            answer = tab.post("/tokens/new/", public_key=self._pair.public, **self.fields)
            return answer.status_code, answer.headers.get("Location", "")

        self._started = time.monotonic()
        answers = sorted(at_once(send, self._tab))
        self.id = answers[0][1].strip("/").rpartition("/")[2]
        return answers

    def click(self, action: str, **fields: str) -> list[int]:
        """Press a button of the token's page several times at once; the answers' statuses."""
        path = f"/tokens/{self.id}/{action}/"
        return sorted(at_once(lambda tab: tab.post(path, **fields).status_code, self._tab))

    def status(self) -> dict[str, Any]:
        """What the page would say now."""
        with self._tab() as tab:
            said: dict[str, Any] = tab.get(f"/tokens/{self.id}/status/").json()
            return said

    def watch(self, seconds: float) -> None:
        """Be the open page, until the request has come to its end or the time is over."""
        until = self._started + seconds
        state = ""
        with self._tab() as tab:
            while time.monotonic() < until:
                try:
                    state = self._look(tab, state)
                    if state == "sealed" and self.takes:
                        self._take(tab)
                    elif state not in (*UNDER_WAY, "revoking", "sealed"):
                        self.seconds = time.monotonic() - self._started
                        return
                except requests.RequestException:
                    # The browser's fetch failed; the page asks again.
                    self.interruptions += 1
                    state = ""
                    time.sleep(PAUSE_SECONDS)

    def wait_for(self, state: str, seconds: float = 30.0) -> None:
        """Wait until the request is in a state. Raises TimeoutError."""
        until = time.monotonic() + seconds
        while self.status()["state"] != state:
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name} did not come to be {state}: {self.status()}")
            time.sleep(0.05)

    def wait_for_the_end(self, seconds: float) -> None:
        """Wait until its open page has come to an end, or the time is over."""
        within(seconds, lambda: self.seconds is not None)

    def take_by_double_click(self) -> list[int]:
        """Open the key, and confirm it several times at once; the answers' statuses."""
        with self._tab() as tab:
            sealed = tab.get(f"/tokens/{self.id}/sealed/").json()["sealed_key"]
        key = self._pair.open(sealed, self.id)
        self.keys.add(key)
        return self.click("delivered", fingerprint=_fingerprint(key))

    def _look(self, tab: Person, state: str) -> str:
        wait = f"?wait={POLL_SECONDS}&state={state}" if self.patient else ""
        answer = tab.get(f"/tokens/{self.id}/status/{wait}")
        answer.raise_for_status()
        said = answer.json()
        now = time.monotonic() - self._started
        last = self.told[-1] if self.told else None
        if last is None or (last.state, last.message) != (said["state"], said["message"]):
            self.told.append(Told(round(now, 1), said["state"], said["message"]))
        elif state == said["state"]:
            time.sleep(PAUSE_SECONDS)  # a portal with too many who wait answers at once
        return str(said["state"])

    def _take(self, tab: Person) -> None:
        answer = tab.get(f"/tokens/{self.id}/sealed/")
        if answer.status_code != 200:
            return
        key = self._pair.open(answer.json()["sealed_key"], self.id)
        self.keys.add(key)
        confirmed = tab.post(f"/tokens/{self.id}/delivered/", fingerprint=_fingerprint(key))
        confirmed.raise_for_status()
        self.confirmations += 1

    def _tab(self) -> AbstractContextManager[Person]:
        return another_tab(self._person)


@contextlib.contextmanager
def another_tab(person: Person) -> Iterator[Person]:
    """A further tab of a person's browser: the same session, over a connection of its own."""
    tab = Person(person.url)
    tab.http.cookies.update(person.http.cookies)
    tab.csrf = person.csrf
    with tab.http:
        yield tab


def at_once(
    do: Callable[[Person], T], tabs: Callable[[], AbstractContextManager[Person]]
) -> list[T]:
    """Do the same from several tabs at the same instant."""
    start = threading.Barrier(CLICKS)

    def work(_number: int) -> T:
        with tabs() as tab:
            start.wait()
            return do(tab)

    with ThreadPoolExecutor(CLICKS) as pool:
        return list(pool.map(work, range(CLICKS)))


def watch_all(asked: list[Asked], seconds: float) -> None:
    """Be all their pages at the same time."""
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        list(pool.map(lambda one: one.watch(seconds), asked))


def _fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
