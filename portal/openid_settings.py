"""The settings of single sign-on by OpenID Connect."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from portal import environment
from portal.environment import read, refuse
from portal.hosts import is_loopback

TOGETHER = ("PORTAL_OIDC_ISSUER", "PORTAL_OIDC_CLIENT_ID", "PORTAL_OIDC_CLIENT_SECRET")
CALLBACK = "/accounts/oidc/sso/login/callback/"
"""Registered at the provider, behind PORTAL_ORIGIN."""


@dataclass(frozen=True, slots=True)
class OpenID:
    """A provider, as the portal is registered there, and what it is believed."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    scopes: tuple[str, ...]
    groups_claim: str
    trusts_email: bool
    """Whether an address counts although the provider does not say that it has verified it."""

    @property
    def configuration_url(self) -> str:
        return f"{self.issuer.removesuffix('/')}/.well-known/openid-configuration"


def settings(*, port: int, beside_sandbox: bool) -> tuple[OpenID | None, int, bool]:
    """The provider or None, the port of the sandbox's own, and whether that one runs.

    It asks for no password, so nothing but the sandbox has it.
    """
    own_port = read(
        "PORTAL_SANDBOX_SIGN_IN_PORT",
        environment.whole_number(1, 65535),
        default=str(port + 3 if port < 65533 else port - 3),
        wanted="a port, 1-65535",
    )
    given = openid()
    has_own = given is None and beside_sandbox
    return of_sandbox(own_port) if has_own else given, own_port, has_own


def openid() -> OpenID | None:
    """The provider that the environment names; None where it names none."""
    issuer, client_id, client_secret = (environment.text(name) for name in TOGETHER)
    name = environment.text("PORTAL_OIDC_NAME", default="single sign-on") or "single sign-on"
    scopes = read("PORTAL_OIDC_SCOPES", _scopes, default="openid profile email", wanted=_A_SCOPE)
    claim = read("PORTAL_OIDC_GROUPS_CLAIM", _claim, default="groups", wanted="the name of a claim")
    email = read(
        "PORTAL_OIDC_EMAIL",
        environment.one_of("verified", "trusted"),
        default="verified",
        wanted="verified or trusted",
    )
    given = dict(zip(TOGETHER, (issuer, client_id, client_secret), strict=True))
    if not any(given.values()):
        return None
    for setting, value in given.items():
        if not value:
            others = " and ".join(other for other in TOGETHER if other != setting)
            refuse(setting, f"is missing: single sign-on wants it beside {others}")
    return OpenID(
        issuer=read("PORTAL_OIDC_ISSUER", is_issuer, wanted=AN_ISSUER),
        client_id=client_id,
        client_secret=client_secret,
        name=name,
        scopes=scopes,
        groups_claim=claim,
        trusts_email=email == "trusted",
    )


def of_sandbox(port: int) -> OpenID:
    """The provider that stands beside the sandbox (portal.embedded.sign_in)."""
    return OpenID(
        issuer=f"http://127.0.0.1:{port}",
        client_id="portal",
        client_secret=environment.text("SANDBOX_SECRET_ACCESS_KEY"),
        name="single sign-on",
        scopes=("openid", "profile", "email"),
        groups_claim="groups",
        trusts_email=False,
    )


AN_ISSUER = "an address such as https://login.example.com, with https except on a loopback address"
_A_SCOPE = "scopes with openid among them, separated by spaces"


def is_issuer(text: str) -> str:
    """An issuer's address. Raises ValueError for what is none."""
    url = urlsplit(text)
    if not url.hostname or url.query or url.fragment or url.username or not text.isascii():
        raise ValueError
    _ = url.port  # raises ValueError for what is none
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname)):
        raise ValueError
    return text


def _scopes(text: str) -> tuple[str, ...]:
    found = tuple(text.split())
    if "openid" not in found:
        raise ValueError
    return found


def _claim(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError
    return text
