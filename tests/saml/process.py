"""The identity provider of tests.saml.provider as a process of its own."""

import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self

import requests

from tests.product import ROOT
from tests.servers import free_port

START_SECONDS = 60


class ProviderProcess:
    """A provider that answers as a test tells it to.

    To a browser, ``localhost`` is another site than 127.0.0.1, and another port is the same.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.url = f"http://{host}:{free_port()}"
        self._http = requests.Session()
        self._http.trust_env = False  # whatever proxy this machine has
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def entity_id(self) -> str:
        return f"{self.url}/metadata"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.saml.provider", self.url]
        self._process = subprocess.Popen(command, cwd=ROOT)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if self._http.get(self.entity_id, timeout=5).ok:
                    return self
            except requests.ConnectionError:
                time.sleep(0.1)
        self._process.kill()
        raise AssertionError("the provider did not start")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._http.close()
        self._process.terminate()
        self._process.wait(10)

    def meet(self, entity_id: str, acs: str, metadata: str = "") -> None:
        """Have the provider know the portal; without its ``metadata``, it asks for them."""
        self._say("portal", {"entity_id": entity_id, "acs": acs, "metadata": metadata})

    def people(self, people: dict[str, dict[str, Any]]) -> None:
        """Who can be chosen on the provider's page, and what it says of each."""
        self._say("people", people)

    def asked(self, request: str) -> dict[str, Any]:
        """What a SAMLRequest says, as pysaml2 reads it."""
        found: dict[str, Any] = self._say("asked", {"request": request}).json()
        return found

    def answer(self, **told: Any) -> str:
        """The XML of an answer.

        ``name_id`` and its ``format``, ``attributes`` and the ``request`` that is answered say what
        is in it; ``edits`` (pattern and text) and ``shift`` (seconds) change it before it is
        signed; ``stranger`` is another provider that says it is this one.
        """
        return self._say("answer", told).text

    def _say(self, what: str, told: dict[str, Any]) -> requests.Response:
        response = self._http.post(f"{self.url}/{what}", json=told, timeout=30)
        response.raise_for_status()
        response.encoding = "utf-8"
        return response
