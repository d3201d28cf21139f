"""The portal from outside in, and the provider of single sign-on."""

import http.client
import json
import socket
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from django.conf import settings

from portal import environment
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


def provider_check(report: Report) -> None:
    issuer = environment.text("PORTAL_OIDC_ISSUER").rstrip("/")
    metadata = environment.text("PORTAL_SAML_METADATA")
    if not issuer and not metadata:
        report.ok("no single sign-on is set up")
    try:
        if issuer:
            _check_oidc(report, issuer)
        if metadata:
            _check_saml(report, metadata)
    except _UnreachableError as error:
        report.fail(str(error), error.mend)


def _check_oidc(report: Report, issuer: str) -> None:
    address = f"{issuer}/.well-known/openid-configuration"
    said = _json(address)
    if str(said.get("issuer", "")).rstrip("/") != issuer:
        raise _UnreachableError(
            f"{address} names another issuer: {str(said.get('issuer'))[:200]}",
            "Set PORTAL_OIDC_ISSUER to that one, to the letter.",
        )
    keys = _json(str(said.get("jwks_uri", ""))).get("keys")
    if not isinstance(keys, list) or not keys:
        raise _UnreachableError(
            f"the provider at {issuer} has no keys at its jwks_uri", "Ask who runs it."
        )
    report.ok(f"the provider at {issuer} answers and has {len(keys)} keys")


def _check_saml(report: Report, metadata: str) -> None:
    if metadata.startswith(("http://", "https://")):
        status, _, body, _ = _get(metadata)
        if status != 200:
            raise _UnreachableError(f"{metadata} answers {status}", "Check PORTAL_SAML_METADATA.")
    else:
        try:
            body = Path(metadata).read_bytes()
        except OSError as error:
            raise _UnreachableError(
                f"the metadata {metadata} can't be read: {error.strerror}",
                "Put the file where the processes' user may read it.",
            ) from None
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise _UnreachableError("the metadata declares entities", "Ask who runs the provider.")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 (without entities there is nothing to fear)
    except ElementTree.ParseError as error:
        raise _UnreachableError(
            f"the metadata is no XML: {error}", "Check PORTAL_SAML_METADATA."
        ) from None
    report.ok(f"the metadata describes {root.get('entityID') or 'several providers'}")


def _json(address: str) -> dict[str, Any]:
    status, _, body, _ = _get(address)
    try:
        said = json.loads(body)
        if status != 200 or not isinstance(said, dict):
            raise ValueError
    except ValueError:
        raise _UnreachableError(
            f"{address[:200]} answers {status}, and not with a JSON object",
            "Check PORTAL_OIDC_ISSUER, and open that address with curl from this host.",
        ) from None
    return said


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
