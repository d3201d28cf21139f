"""One HTTP exchange with an identity provider, bounded in time and size."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

from portal.hosts import is_loopback
from portal.identity.person import SignInError
from portal.incidents import Incident

CONNECT, READ, WHOLE = 3.0, 5.0, 8.0
"""Seconds: to connect, between two pieces of an answer, for the whole of it. A person waits."""
LARGEST_ANSWER = 1024 * 1024
"""Bytes: room for 5,000 groups."""
INCIDENT = Incident("identity_provider")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. It may hold tokens: ``repr`` tells the status alone."""

    status: int
    body: bytes = field(repr=False)

    def json(self, what: str) -> dict[str, Any]:
        """The object that the body holds. Raises SignInError, naming ``what`` was asked for."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise nonsense(f"{what} is no JSON object (HTTP {self.status})")
        return found


def get(url: str, what: str, *, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object at an address of the provider. Raises SignInError."""
    answer = exchange("GET", url, what, headers=headers)
    if answer.status != 200:
        raise nonsense(f"{what}: HTTP {answer.status}")
    return answer.json(what)


def exchange(
    method: str,
    url: str,
    what: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
) -> Answer:
    """Whatever the provider answers. Raises SignInError where it does not, or not in time, or says
    that it can't answer now."""
    require_safe_address(url, what)
    until = time.monotonic() + WHOLE
    try:
        with requests.Session() as session:
            session.auth = basic or _NoNetrc()
            with session.request(
                method,
                url,
                headers={"Accept": "application/json", **(headers or {})},
                data=form,
                timeout=(CONNECT, READ),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = bytearray()
                for piece in response.iter_content(8192):
                    body += piece
                    if len(body) > LARGEST_ANSWER:
                        raise nonsense(f"{what} is larger than {LARGEST_ANSWER} bytes")
                    if time.monotonic() > until:
                        raise away(f"{what}: no whole answer within {WHOLE:.0f} s")
                answer = Answer(response.status_code, bytes(body))
    except (requests.RequestException, UnicodeError, ValueError) as error:
        raise away(f"{what}: {type(error).__name__}") from None
    if answer.status >= 500 or answer.status == 429:
        raise away(f"{what}: HTTP {answer.status}")
    INCIDENT.over()
    return answer


class _NoNetrc(requests.auth.AuthBase):
    """No credentials of this machine's files go to the provider."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def require_safe_address(url: object, what: str) -> str:
    """An address to which secrets may go: https, or a loopback one. Raises SignInError."""
    try:
        parts = urlsplit(str(url))
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not isinstance(url, str) or not host or not url.isascii() or not url.isprintable():
        raise nonsense(f"the address of {what} is none")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise nonsense(f"the address of {what} is not https")
    return url


def away(why: str) -> SignInError:
    """The provider is away: nobody here can mend it, and it may be back in a moment."""
    error = SignInError(
        "provider_away",
        "Your company's sign-in does not answer at the moment. Nothing is lost: try again in a "
        "minute. If it goes on, tell an operator of this portal.",
        status=503,
        title="The sign-in service is away",
    )
    error.why = why
    INCIDENT.note(RuntimeError(why))
    return error


def nonsense(why: str) -> SignInError:
    """The provider answers something that it must not, or is set up wrongly."""
    error = SignInError(
        "provider_answer",
        "Your company's sign-in gave an answer that this portal can't read. Try again in a minute; "
        "if it goes on, tell an operator of this portal.",
        status=502,
        title="The sign-in service answers nonsense",
    )
    error.why = why
    INCIDENT.note(RuntimeError(why), is_misconfigured=True)
    return error
