"""The request by which a sign-in begins."""

from typing import NamedTuple
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from onelogin.saml2.authn_request import OneLogin_Saml2_Authn_Request
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from portal.identity.saml.library import about_us, library_settings
from portal.identity.saml.metadata import IdentityProvider

LONGEST_RELAY_STATE = 80
"""Bytes: SAML bindings, section 3.4.3."""


class Request(NamedTuple):
    """Its ID, which the answer names, and the address at the provider that it is sent to."""

    id: str
    url: str


def request(provider: IdentityProvider, *, back: str, afresh: bool) -> Request:
    """A request of sign-in. ``back`` is where to come back to; ``afresh`` asks the provider to have
    the person sign in, whatever session they have there.
    """
    # The library writes the address into its XML as it is.
    escaped = provider._replace(sso_url=escape(provider.sso_url, {'"': "&quot;"}))
    made = OneLogin_Saml2_Authn_Request(library_settings(escaped), force_authn=afresh)
    query = {"SAMLRequest": made.get_request()}
    if back and len(back.encode()) <= LONGEST_RELAY_STATE:
        query["RelayState"] = back
    separator = "&" if "?" in provider.sso_url else "?"
    return Request(made.get_id(), f"{provider.sso_url}{separator}{urlencode(query)}")


def metadata() -> bytes:
    """What the portal says of itself, for a provider to read."""
    found = OneLogin_Saml2_Settings(about_us(), sp_validation_only=True).get_sp_metadata()
    return found if isinstance(found, bytes) else str(found).encode()
