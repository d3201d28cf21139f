"""Whether a new key works: ``GET /api/org`` at its workspace's Grafana, once, with the key.

Off unless PORTAL_SMOKE_TEST is on: AMG bills each service account that makes a call in a month as a
user (AMG pricing, "active users").
"""

import threading
from contextlib import closing
from http.client import HTTPException
from typing import Any

from requests import PreparedRequest, Request, Session
from requests.exceptions import ConnectTimeout, RequestException, SSLError, Timeout
from urllib3.exceptions import HTTPError
from urllib3.exceptions import SSLError as SSLErrorOfUrllib3

from portal.grafana.connection import OneAttemptAdapter
from portal.grafana.types import Key

SECONDS = 3.0
"""For all of it, names and handshakes included: the key is in memory alone meanwhile."""
WORKS, REFUSED, TIMED_OUT, UNREACHABLE, NOT_TRUSTED, NO_ADDRESS, NO_TIME = (
    *("works", "refused", "timeout", "unreachable", "not_trusted"),
    *("no_address", "no_time"),
)
STATUS = "status-"
"""What a code begins with that ends with an HTTP status."""


def try_key(address: str, key: Key, *, seconds: float = SECONDS) -> str:
    """One of the codes above: at most 20 characters, and nothing that came over the wire but a
    status. ``address`` is the workspace's, as a URL. Raises nothing.
    """
    if not address:
        return NO_ADDRESS
    try:
        request = Request("GET", f"{address}/api/org", headers={"Accept": "application/json"})
        prepared = request.prepare()
    except (RequestException, ValueError):
        return NO_ADDRESS
    prepared.headers["Authorization"] = f"Bearer {key.reveal()}"
    found: list[str] = []
    # Looking up a name can't be given a time. A thread that still does so afterwards has no key.
    thread = threading.Thread(target=lambda: found.append(_ask(prepared, seconds + 1)), daemon=True)
    thread.start()
    thread.join(seconds)
    prepared.headers.pop("Authorization", None)
    return found[0] if found else TIMED_OUT


def _ask(request: PreparedRequest, seconds: float) -> str:
    """No redirect is followed, no cookie kept, no other credentials sent."""
    try:
        with Session() as session, closing(OneAttemptAdapter()) as adapter:
            url = request.url or ""
            around: Any = session.merge_environment_settings(url, {}, True, True, None)
            with closing(adapter.send(request, timeout=(seconds, seconds), **around)) as answer:
                return _meaning(answer.status_code)
    except (Timeout, ConnectTimeout, TimeoutError):
        return TIMED_OUT
    except (RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
        return NOT_TRUSTED if _is_about_trust(error) else UNREACHABLE


def _meaning(status: int) -> str:
    if status == 200:
        return WORKS
    return REFUSED if status == 401 else f"{STATUS}{status}"


def _is_about_trust(error: BaseException | None) -> bool:
    """Whether it is the certificate, by whatever library has wrapped that."""
    for _ in range(10):
        if error is None:
            return False
        if isinstance(error, SSLError | SSLErrorOfUrllib3) or "CERTIFICATE_VERIFY" in str(error):
            return True
        inner = error.args[0] if error.args else None
        inner = getattr(inner, "reason", inner)
        error = inner if isinstance(inner, Exception) else (error.__cause__ or error.__context__)
    return False
