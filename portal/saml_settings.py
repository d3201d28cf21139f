"""The settings of sign-in by SAML, which a start reads whether the extra is installed or not."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from portal import environment
from portal.environment import read, refuse
from portal.openid_settings import is_loopback

EXTRA = "requirements-saml.txt"
NAMED = ("PORTAL_SAML_METADATA", "PORTAL_SAML_EMAIL_ATTRIBUTE", "PORTAL_SAML_GROUPS_ATTRIBUTE")


def is_installed() -> bool:
    """Whether the extra is there, whole."""
    return all(find_spec(name) is not None for name in ("onelogin", "xmlsec", "lxml"))


def settings(*, origin: str) -> dict[str, Any]:
    """Django's settings of these names; stops the start where one of them can't be followed."""
    metadata = read(
        "PORTAL_SAML_METADATA",
        where_metadata_is,
        default="",
        wanted="the https URL of an identity provider's SAML metadata, or the path of a file that "
        "holds it",
    )
    email, groups = (environment.text(name) for name in NAMED[1:])
    installed = is_installed()
    for name, value in zip(NAMED, (metadata, email, groups), strict=True):
        if value and not installed:
            refuse(
                name,
                f"needs what {EXTRA} adds, and it is not installed: "
                f"pip install --require-hashes -r {EXTRA}",
            )
    return {
        "SAML_INSTALLED": installed,
        "SAML_METADATA": metadata,
        "SAML_EMAIL_ATTRIBUTE": email,
        "SAML_GROUPS_ATTRIBUTE": groups,
        "SAML_ENTITY_ID": f"{origin}/accounts/saml/sso/metadata/",
        "SAML_ACS": f"{origin}/accounts/saml/sso/acs/",
    }


def where_metadata_is(text: str) -> str:
    """A URL that nobody on the way can change the answer of, or a file's path; may be empty."""
    if not text:
        return ""
    if not text.isprintable():
        raise ValueError
    if is_url(text):
        url = urlsplit(text)
        host = url.hostname or ""
        _ = url.port  # raises ValueError for what is none
        if not host or (url.scheme == "http" and not is_loopback(host)):
            raise ValueError
        return text
    if "://" in text or not Path(text).is_file():
        raise ValueError
    return str(Path(text).resolve())


def is_url(text: str) -> bool:
    return text.lower().startswith(("https://", "http://"))
