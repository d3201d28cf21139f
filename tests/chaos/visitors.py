"""People who ask for tokens through the proxy, one after another, whatever happens to the hosts.

Each does what a browser and its person do: what was answered with a 5xx, or not at all, is done
again. Every such answer is kept, with what was going on.
"""

import hashlib
import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

from tests.grafana.sandbox_process import PROD, STAGING
from tests.person import KeyPair, Person

PLACES = [(workspace, account) for workspace in (PROD, STAGING) for account in ("2", "3")]
THINK_SECONDS = (0.5, 2.0)
GIVE_UP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer that nobody should get; ``status`` 0 is none at all."""

    phase: str
    what: str
    status: int
    seconds: float


@dataclass(slots=True)
class Ledger:
    """What all of them have seen."""

    phase: str = ""
    over: bool = False
    answers: dict[str, int] = field(default_factory=dict)
    delivered: dict[str, str] = field(default_factory=dict)
    """Phase in which a key was asked for, by the token's id."""
    waited: dict[str, list[float]] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Visitor(threading.Thread):
    def __init__(
        self, person: Person, ledger: Ledger, find: Callable[[str], str | None], number: int
    ) -> None:
        super().__init__(daemon=True)
        self._person, self._ledger, self._find = person, ledger, find
        self._chance = random.Random(number)
        self._keys = KeyPair()

    def run(self) -> None:
        while not self._ledger.over:
            time.sleep(self._chance.uniform(*THINK_SECONDS))
            phase, began = self._ledger.phase, time.monotonic()
            name = f"two-hosts-{secrets.token_hex(6)}"
            try:
                token = self._ask(name)
                self._take(token)
            except (AssertionError, TimeoutError) as error:
                with self._ledger.lock:
                    self._ledger.lost.append(f"{phase}: {name}: {error}")
                continue
            with self._ledger.lock:
                self._ledger.delivered[token] = phase
                self._ledger.waited.setdefault(phase, []).append(time.monotonic() - began)

    def _ask(self, name: str) -> str:
        workspace, account = self._chance.choice(PLACES)
        fields = {"workspace": workspace, "service_account": account, "name": name}
        fields |= {"seconds_to_live": "3600", "reason": "", "public_key": self._keys.public}
        until = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < until:
            answer = self._try("asking", lambda: self._person.post("/tokens/new/", **fields))
            if answer is not None and answer.status_code == 302:
                where = answer.headers["Location"]
                if not where.startswith("/tokens/"):
                    raise AssertionError(f"the form sent to {where}")
                return where.split("/")[2]
            if answer is not None:
                raise AssertionError(f"the form answered {answer.status_code}")
            # A person looks into "My tokens" whether it was taken.
            if found := self._find(name):
                return found
        raise TimeoutError("asking")

    def _take(self, token: str) -> None:
        until = time.monotonic() + GIVE_UP_SECONDS
        at = f"/tokens/{token}/sealed/?wait=15"
        while time.monotonic() < until:
            answer = self._try("waiting", lambda: self._person.get(at))
            if answer is None or answer.status_code == 202:
                continue
            if answer.status_code != 200:
                raise AssertionError(f"sealed answered {answer.status_code}")
            key = self._keys.open(answer.json()["sealed_key"], token)
            break
        else:
            raise TimeoutError("waiting")
        proof = hashlib.sha256(key.encode()).hexdigest()
        while time.monotonic() < until:
            done = self._try(
                "confirming",
                lambda: self._person.post(f"/tokens/{token}/delivered/", fingerprint=proof),
            )
            if done is not None and done.status_code == 200:
                return
            if done is not None:
                raise AssertionError(f"delivered answered {done.status_code}")
        raise TimeoutError("confirming")

    def _try(self, what: str, send: Callable[[], requests.Response]) -> requests.Response | None:
        """The answer, or nothing for one that means "not done"."""
        began = time.monotonic()
        phase = self._ledger.phase
        try:
            answer = send()
            status = answer.status_code
        except requests.RequestException:
            answer, status = None, 0
        with self._ledger.lock:
            self._ledger.answers[phase] = self._ledger.answers.get(phase, 0) + 1
            if answer is None or status >= 500:
                taken = time.monotonic() - began
                self._ledger.troubles.append(Trouble(phase, what, status, taken))
        if answer is None or status >= 500:
            time.sleep(1)
            return None
        return answer
