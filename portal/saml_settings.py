"""The settings of single sign-on by SAML, read whether its extra is installed or not."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from portal import environment
from portal.environment import read, refuse
from portal.hosts import is_loopback

EXTRA = "requirements-saml.txt"
NAMES = ("PORTAL_SAML_METADATA", "PORTAL_SAML_EMAIL_ATTRIBUTE", "PORTAL_SAML_GROUPS_ATTRIBUTE")


@dataclass(frozen=True, slots=True)
class Saml:
    """A provider, and the portal as it is known there.

    ``metadata`` is the provider's: a URL or the path of a file. ``entity_id`` and ``acs`` are the
    portal's own, to the letter. An attribute without a name is looked for under the usual ones.
    """

    metadata: str
    email_attribute: str
    groups_attribute: str
    entity_id: str
    acs: str


def is_installed() -> bool:
    """Whether the extra is there, whole."""
    return all(find_spec(name) is not None for name in ("onelogin", "xmlsec", "lxml"))


def saml(*, origin: str) -> Saml | None:
    """The provider that the environment names; None where it names none.

    Stops the start where something is set and the extra is missing.
    """
    metadata = read(
        NAMES[0],
        where_metadata_is,
        default="",
        wanted="the https URL of an identity provider's SAML metadata, or the path of a file that "
        "holds it",
    )
    email, groups = (environment.text(name) for name in NAMES[1:])
    given = dict(zip(NAMES, (metadata, email, groups), strict=True))
    name = next((name for name, value in given.items() if value), "")
    if name and not is_installed():
        refuse(
            name,
            f"needs what {EXTRA} adds, and that is not installed: "
            f"pip install --require-hashes -r {EXTRA}",
        )
    if not metadata:
        return None
    base = f"{origin}/accounts/saml/sso"
    return Saml(metadata, email, groups, entity_id=f"{base}/metadata/", acs=f"{base}/acs/")


def where_metadata_is(text: str) -> str:
    """A URL whose answer nobody on the way can change, or a file's path; may be empty."""
    if not text:
        return ""
    if not text.isprintable():
        raise ValueError
    if is_url(text):
        if not is_safe_url(text):
            raise ValueError
        return text
    try:
        describes_a_provider = b"IDPSSODescriptor" in Path(text).read_bytes()
    except OSError:
        describes_a_provider = False
    if not describes_a_provider:
        raise ValueError
    return str(Path(text).resolve())


def is_url(text: str) -> bool:
    return text.lower().startswith(("https://", "http://"))


def is_safe_url(text: str) -> bool:
    """Whether a browser or an answer can be trusted to it: https, or a loopback address."""
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return False
    if not url.hostname or not text.isascii() or not text.isprintable():
        return False
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname))
