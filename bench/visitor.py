"""A signed-in browser, as lean as HTTP allows: on a shared machine the load generator's own work
must not be what is measured.

It sends what the pages' scripts send, in their order, over one kept-alive connection. Its person
has signed in, and its key pair was made, before any clock runs: a browser makes the pair while its
person fills in the form.
"""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from bench.wire import Answer, Connection
from tests.person import KeyPair, Person

STATE = re.compile(rb'data-token-page[^>]* data-state="([a-z_]+)"')


@dataclass(frozen=True, slots=True)
class Place:
    """Where tokens are asked for: a workspace and a service account, by their AWS ids."""

    workspace: str
    service_account: str


@dataclass(frozen=True, slots=True)
class Taken:
    """One token, from sending the form to having its key; all in seconds, one step after another.

    ``submit``: the form's answer, a redirect. ``page``: the token's page (0 if it was not loaded).
    ``wait``: until the sealed key came. ``open``: decrypting. ``confirm``: the portal's answer to
    the fingerprint, after which a page shows the key.
    """

    submit: float
    page: float
    wait: float
    open: float
    confirm: float

    @property
    def total(self) -> float:
        return self.submit + self.page + self.wait + self.open + self.confirm


class Visitor:
    """One browser of one person."""

    def __init__(self, person: Person, keys: KeyPair, place: Place) -> None:
        self._keys = keys
        self._place = place
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.http.cookies)
        self._csrf = person.csrf
        self._connection = Connection(person.url, {"Cookie": cookies, "Origin": person.url})

    def open_form(self) -> None:
        """Load the request form, as whoever submits it has done; outside any clock."""
        # A person who comes back after a while finds the connection gone, and opens another.
        self._connection.close()
        self._expect(200, "GET", "/tokens/new/")

    def issue(self, name: str, *, loads_page: bool = True) -> Taken:
        """Request a token and take its key. Raises AssertionError for any unexpected answer.

        Without ``loads_page`` it asks for the sealed key at once, as a program would.
        """
        started = time.perf_counter()
        redirect = self._post(
            302,
            "/tokens/new/",
            public_key=self._keys.public,
            workspace=self._place.workspace,
            service_account=self._place.service_account,
            name=name,
            seconds_to_live="3600",
        )
        page = urlsplit(redirect.header("Location")).path
        submitted = time.perf_counter()
        state = _state(self._expect(200, "GET", page)) if loads_page else ""
        loaded = time.perf_counter()
        sealed = self._sealed(page, state)
        came = time.perf_counter()
        key = self._keys.open(sealed, page.split("/")[2])
        opened = time.perf_counter()
        self._post(200, f"{page}delivered/", fingerprint=hashlib.sha256(key.encode()).hexdigest())
        confirmed = time.perf_counter()
        return Taken(
            submit=submitted - started,
            page=loaded - submitted,
            wait=came - loaded,
            open=opened - came,
            confirm=confirmed - opened,
        )

    def close(self) -> None:
        self._connection.close()

    def _sealed(self, page: str, state: str) -> str:
        """Ask until the sealed key comes; each time until the state is another, as the page does.

        Without a state: until it is sealed.
        """
        while True:
            query = f"?wait=15&state={state}" if state else "?wait=15"
            answer = self._connection.exchange("GET", f"{page}sealed/{query}")
            said = json.loads(answer.body)
            if answer.status == 200:
                return str(said["sealed_key"])
            if answer.status != 202:
                raise AssertionError(f"sealed answered {answer.status}: {said}")
            state = state and said["state"]

    def _post(self, status: int, path: str, **fields: str) -> Answer:
        form = urlencode({"csrfmiddlewaretoken": self._csrf, **fields})
        return self._expect(status, "POST", path, form.encode())

    def _expect(self, status: int, method: str, path: str, body: bytes | None = None) -> Answer:
        answer = self._connection.exchange(method, path, body)
        if answer.status != status:
            raise AssertionError(f"{method} {path} answered {answer.status}: {answer.body[:300]!r}")
        return answer


def _state(page: Answer) -> str:
    found = STATE.search(page.body)
    if found is None:
        raise AssertionError("the token's page does not say its state")
    return found[1].decode()
