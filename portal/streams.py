"""Where the audit log is sent as it grows: the process log, or an address that takes JSON Lines."""

import base64
import http.client
import ssl
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from portal.hosts import is_loopback

A_STREAM = "log, or the https address of a receiver"
LOG = "log"
SECONDS = 10.0
"""For each of connecting, sending and the answer."""
CONTENT_TYPE = "application/x-ndjson"


class NotTakenError(Exception):
    """The receiver did not take the lines; they are to be sent again."""


@dataclass(frozen=True, slots=True)
class Stream:
    """``address`` is "log" or a URL; user and password of it go as HTTP's Basic."""

    address: str

    def post(self, lines: bytes) -> None:
        """Have the receiver take the lines. Raises NotTakenError."""
        url = urlsplit(self.address)
        headers = {"Content-Type": CONTENT_TYPE, "User-Agent": "grafana-token-portal"}
        if url.username is not None:
            who = f"{unquote(url.username)}:{unquote(url.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(who.encode()).decode()}"
        path = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
        host = url.hostname or ""
        wire = (
            http.client.HTTPSConnection(
                host, url.port, timeout=SECONDS, context=ssl.create_default_context()
            )
            if url.scheme == "https"
            else http.client.HTTPConnection(host, url.port, timeout=SECONDS)
        )
        try:
            wire.request("POST", path, body=lines, headers=headers)
            status = wire.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise NotTakenError(f"{type(error).__name__}: {error}") from None
        finally:
            wire.close()
        if not 200 <= status < 300:
            raise NotTakenError(f"HTTP {status}")


def parse(text: str) -> Stream | None:
    """None for an empty text. Raises ValueError; http is taken on this machine alone."""
    if text in ("", LOG):
        return Stream(text) if text else None
    url = urlsplit(text)
    if url.scheme not in ("https", "http") or not url.hostname or url.port == 0 or url.fragment:
        raise ValueError
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise ValueError
    return Stream(text)
