"""The portal from outside in."""

import http.client
import socket
import ssl
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from portal.doctor.report import Report

SECONDS = 5.0
LARGEST = 4 * 1024 * 1024
SOON = 14
"""Days before the end of a certificate in which it should have been renewed."""


class _UnreachableError(Exception):
    """Says why; ``mend`` what to do."""

    def __init__(self, says: str, mend: str) -> None:
        super().__init__(says)
        self.mend = mend


def origin_check(report: Report) -> None:
    """As a browser reaches it: name, proxy, TLS, and the portal behind them."""
    try:
        status, headers, body, ends = _get(f"{settings.PORTAL_ORIGIN}/healthz")
        if (status, body.strip()) != (200, b"ok"):
            raise _UnreachableError(
                f"{settings.PORTAL_ORIGIN}/healthz answers {status}, and not as the portal does",
                "Something else answers there, or the proxy does not pass requests on to it.",
            )
        page, headers, _, _ = _get(f"{settings.PORTAL_ORIGIN}/accounts/login/")
    except _UnreachableError as error:
        report.fail(str(error), error.mend)
        return
    if page == 400:
        report.fail(
            "the sign-in page answers 400: the portal does not know the name it is asked by",
            "Let the proxy pass the header Host on (nginx: proxy_set_header Host $host).",
        )
    elif page in (301, 302, 307, 308):
        report.fail(
            f"the sign-in page redirects to {headers.get('Location', '')[:200]}",
            "Let the proxy set X-Forwarded-Proto, and count it in PORTAL_TRUSTED_PROXIES.",
        )
    elif page != 200:
        report.fail(f"the sign-in page answers {page}", "See the log of the web processes.")
    else:
        report.ok(f"{settings.PORTAL_ORIGIN} shows the sign-in page")
    if ends is not None:
        _tell_end(report, ends)


def _tell_end(report: Report, ends: datetime) -> None:
    days = (ends - datetime.now(UTC)).days
    says = f"its certificate is good until {ends:%Y-%m-%d}"
    if days < SOON:
        report.warn(f"{says}: {days} days", "Renew it, and find out why nothing else did.")
    else:
        report.ok(says)


def _get(address: str) -> tuple[int, http.client.HTTPMessage, bytes, datetime | None]:
    """Status, headers, body and the end of the certificate. Raises _UnreachableError."""
    url = urlsplit(address)
    until = time.monotonic() + SECONDS
    secure = url.scheme == "https"
    try:
        if secure:
            context = ssl.create_default_context()
            wire: http.client.HTTPConnection = http.client.HTTPSConnection(
                url.hostname or "", url.port, timeout=SECONDS, context=context
            )
        else:
            wire = http.client.HTTPConnection(url.hostname or "", url.port, timeout=SECONDS)
        try:
            path = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
            wire.request("GET", path, headers={"User-Agent": "portal-doctor"})
            ends = _ends(wire.sock)
            if wire.sock is not None:
                wire.sock.settimeout(max(0.1, until - time.monotonic()))
            answer = wire.getresponse()
            return answer.status, answer.headers, answer.read(LARGEST), ends
        finally:
            wire.close()
    except ssl.SSLCertVerificationError as error:
        raise _UnreachableError(
            f"{url.hostname} does not prove who it is: {error.verify_message}",
            "Mend the certificate or its chain; SSL_CERT_FILE names authorities of your own.",
        ) from None
    except socket.gaierror:
        raise _UnreachableError(
            f"the name {url.hostname} is not known here", "Check DNS on this host."
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = str(error) or type(error).__name__
        raise _UnreachableError(
            f"{url.scheme}://{url.netloc} does not answer: {why}",
            "See whether web and proxy run, and whether this host may reach them.",
        ) from None


def _ends(sock: Any) -> datetime | None:
    found = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    if not found:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)
