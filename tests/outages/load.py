"""People at work from several threads, and every answer that they got."""

import contextlib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import requests

from tests.outages.portal import Portal
from tests.person import Person


@dataclass(frozen=True, slots=True)
class Answer:
    """``name`` is the token's that a form asked for; empty for a page."""

    what: str
    name: str
    status: int
    retry_after: str
    seconds: float


@dataclass(slots=True)
class Load:
    """``prefix`` begins the name of every token that it asks for."""

    portal: Portal
    prefix: str = field(default_factory=lambda: f"load-{uuid.uuid4().hex[:8]}")
    answers: list[Answer] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def going_on(self) -> Iterator["Load"]:
        """Everybody works inside; afterwards all have their last answer."""
        threads = [
            threading.Thread(target=self._work, args=(person, number))
            for number, person in enumerate(self.portal.people)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def until_more(self, answers: int, *, of: tuple[int, ...] = (200, 302)) -> None:
        """Wait for so many more answers with one of these statuses."""
        wanted = self._count(of) + answers
        until = time.monotonic() + 60
        while self._count(of) < wanted:
            assert time.monotonic() < until, self.statuses()
            time.sleep(0.02)

    def _count(self, statuses: tuple[int, ...]) -> int:
        return sum(answer.status in statuses for answer in list(self.answers))

    def statuses(self) -> dict[tuple[str, int], int]:
        return dict(Counter((answer.what, answer.status) for answer in list(self.answers)))

    def names(self, status: int) -> set[str]:
        """The tokens whose form was answered so."""
        return {a.name for a in self.answers if a.what == "form" and a.status == status}

    def rows(self) -> list[str]:
        """The tokens that there are."""
        return self.portal.rows(self.prefix)

    def _work(self, person: Person, number: int) -> None:
        status = ""
        while not self._stop.is_set():
            name = f"{self.prefix}-{number}-{uuid.uuid4().hex[:12]}"
            answer = self._note("form", name, partial(self.portal.send_form, person, name))
            if answer is not None and answer.status_code == 302:
                status = f"{answer.headers['Location']}status/?wait=1&state=queued"
            self._note("page", "", partial(person.get, "/tokens/"))
            if status:
                self._note("status", "", partial(person.get, status))

    def _note(
        self, what: str, name: str, ask: Callable[[], requests.Response]
    ) -> requests.Response | None:
        began = time.monotonic()
        try:
            answer = ask()
        except requests.RequestException:
            # No answer at all is worse than any.
            self.answers.append(Answer(what, name, 0, "", time.monotonic() - began))
            return None
        self.answers.append(
            Answer(
                what,
                name,
                answer.status_code,
                answer.headers.get("Retry-After", ""),
                time.monotonic() - began,
            )
        )
        return answer
