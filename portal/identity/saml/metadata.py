"""The identity provider as its metadata describes it: who it is, where it is, how it signs."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from portal.identity.person import SignInError
from portal.identity.saml.errors import error as refused
from portal.identity.wire import away, exchange, nonsense
from portal.saml_settings import is_safe_url, is_url

FRESH_SECONDS = 3600.0
"""After this the metadata is read again: providers change their keys, and say so there first."""
STALE_SECONDS = 24 * 3600.0
"""For which a copy serves on while the provider does not answer."""
AGAIN_SECONDS = 30.0
"""Between two readings, whatever asks for them."""
MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


class IdentityProvider(NamedTuple):
    """Where a sign-in is sent, who must have issued its answer, and whose keys must sign it."""

    entity_id: str
    sso_url: str
    certificates: tuple[str, ...]


class MetadataError(ValueError):
    """What was read is no metadata of one identity provider. The message completes "it ..."."""


class Source:
    """The metadata at one place, kept in this process.

    Not in the shared cache: whoever could write there could sign in as anybody.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._kept: IdentityProvider | None = None
        self._read_at = self._tried_at = float("-inf")
        self._error: SignInError | None = None

    def provider(self, *, anew: bool = False) -> IdentityProvider:
        """The provider; ``anew`` asks for a reading that is not older than AGAIN_SECONDS.

        Raises SignInError.
        """
        now = time.monotonic()
        if self._kept and not anew and now < self._read_at + FRESH_SECONDS:
            return self._kept
        # Who has a copy does not wait for the one that reads.
        if self._lock.acquire(blocking=self._kept is None):
            try:
                if now >= self._tried_at + AGAIN_SECONDS:
                    self._read()
            finally:
                self._lock.release()
        if self._kept and time.monotonic() < self._read_at + STALE_SECONDS:
            return self._kept
        raise (self._error or away("no metadata yet")).with_traceback(None)

    def _read(self) -> None:
        try:
            self._kept = parse(load(self.place))
            self._read_at, self._error = time.monotonic(), None
        except SignInError as error:
            self._error = error
        finally:
            self._tried_at = time.monotonic()


_sources: dict[str, Source] = {}


def source(place: str) -> Source:
    """What this process keeps of the metadata at ``place``."""
    return _sources.setdefault(place, Source(place))


def load(place: str) -> bytes:
    """The metadata's text. Raises SignInError."""
    if not is_url(place):
        try:
            return Path(place).read_bytes()
        except OSError as failure:
            raise away(f"PORTAL_SAML_METADATA: {failure.strerror}") from None
    what = "the provider's SAML metadata"
    answer = exchange("GET", place, what, headers={"Accept": "*/*"})
    if answer.status != 200:
        raise nonsense(f"{what}: HTTP {answer.status}")
    return answer.body


def parse(text: bytes) -> IdentityProvider:
    """The one identity provider that the metadata describes. Raises SignInError."""
    try:
        return _parsed(text)
    except MetadataError as failure:
        raise refused("metadata", why=str(failure)) from None


def _parsed(text: bytes) -> IdentityProvider:
    try:
        root = etree.fromstring(
            text, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        )
    except (etree.XMLSyntaxError, ValueError):
        raise MetadataError("it is no XML") from None
    if root.getroottree().docinfo.doctype:
        raise MetadataError("it has a document type")
    found = list(root.iter(f"{MD}IDPSSODescriptor"))
    if len(found) != 1:
        raise MetadataError(f"it describes {len(found)} identity providers, not one")
    (descriptor,) = found
    entity_id = descriptor.getparent().get("entityID") if descriptor is not root else None
    if not entity_id:
        raise MetadataError("the provider has no name (entityID) in it")
    if descriptor.get("WantAuthnRequestsSigned") in ("true", "1"):
        raise MetadataError("the provider wants signed requests, which the portal does not send")
    services = descriptor.findall(f"{MD}SingleSignOnService")
    urls = [one.get("Location", "") for one in services if one.get("Binding") == REDIRECT]
    if not urls or not is_safe_url(urls[0]):
        raise MetadataError("no address for sign-in by HTTP-Redirect is in it that has https")
    certificates = tuple(dict.fromkeys(_certificates(descriptor)))
    if not certificates:
        raise MetadataError("no certificate for signatures is in it")
    return IdentityProvider(entity_id, urls[0], certificates)


def _certificates(descriptor: Any) -> Iterator[str]:
    """What signs; a key without a use is for both (metadata, section 2.4.1.1)."""
    for key in descriptor.findall(f"{MD}KeyDescriptor"):
        if key.get("use") != "encryption":
            for one in key.iter("{http://www.w3.org/2000/09/xmldsig#}X509Certificate"):
                if text := "".join((one.text or "").split()):
                    yield text
