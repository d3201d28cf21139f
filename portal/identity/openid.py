"""Sign-in by OpenID Connect: to the provider, and what its answer proves.

The authorization code flow with PKCE, ``state`` and ``nonce``; RFC 9207's ``iss`` where it comes.
"""

import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge

from portal.identity import claims, tokens
from portal.identity.person import Identity, SignInError
from portal.identity.tokens import refused
from portal.identity.wire import away, exchange, get, nonsense, require_safe_address
from portal.openid_settings import OpenID

ID_TOKEN_NEEDS = ("iss", "sub", "aud", "exp", "iat")
LARGEST_DESCRIPTION = 200
ERROR_NAME = re.compile(r"[A-Za-z0-9_.-]+")
NOT_NOW = ("temporarily_unavailable", "server_error")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a provider says of itself."""

    issuer: str
    said: dict[str, Any]

    def address(self, name: str) -> str:
        """One of its addresses, by its name there. Raises SignInError."""
        return require_safe_address(self.said.get(name), name)

    @property
    def end_session_url(self) -> str:
        """Where a sign-out goes on; empty where the provider has no such address."""
        try:
            return self.address("end_session_endpoint")
        except SignInError:
            return ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a browser's session keeps while its person is at the provider."""

    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What an answer has proved; ``authenticated_at`` is when (in Unix time) the person last proved
    to the provider that it is they, if it said so."""

    identity: Identity
    authenticated_at: float | None
    session_id: str
    id_token: str = field(repr=False)
    end_session_url: str


def configuration(provider: OpenID) -> Configuration:
    """Ask the provider what it is. Raises SignInError.

    It is asked each time: an answer of before would send people to a provider that is away.
    """
    said = get(provider.configuration_url, "the provider's configuration")
    issuer = said.get("issuer")
    if not isinstance(issuer, str) or issuer.removesuffix("/") != provider.issuer.removesuffix("/"):
        raise nonsense(f"the provider's configuration names another issuer: {str(issuer)[:200]}")
    return Configuration(issuer, said)


def examine(provider: OpenID) -> None:
    """Ask the provider for all that a sign-in needs of it, but for a person. Raises SignInError."""
    found = configuration(provider)
    for name in ("authorization_endpoint", "token_endpoint"):
        found.address(name)
    if not tokens.has_keys(_keys(found)):
        raise nonsense("none of the provider's keys can be used")


def begin() -> tuple[Attempt, dict[str, str]]:
    """A new attempt, and what the provider is told of it."""
    challenge = generate_code_challenge()
    attempt = Attempt(secrets.token_urlsafe(24), challenge["code_verifier"])
    return attempt, {
        "nonce": attempt.nonce,
        "code_challenge": _text(challenge["code_challenge"]),
        "code_challenge_method": challenge["code_challenge_method"],
    }


def address_to_sign_in(
    provider: OpenID, found: Configuration, *, callback: str, **parameters: str
) -> str:
    """Where to send the browser. Raises SignInError."""
    said = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": callback,
        "scope": " ".join(provider.scopes),
        **parameters,
    }
    url = found.address("authorization_endpoint")
    return f"{url}{'&' if '?' in url else '?'}{urlencode(said)}"


def prove(provider: OpenID, answer: dict[str, str], attempt: Attempt, *, callback: str) -> Proof:
    """Who the provider says has come back. ``answer`` is what the callback was called with.

    Raises SignInError for whatever is wrong with it.
    """
    _require_no_error(answer)
    found = configuration(provider)
    _require_issuer(found, answer)
    said = _redeem(provider, found, answer["code"], attempt, callback)
    keys = _keys(found)
    id_token = said.get("id_token")
    token = tokens.verified(
        id_token, keys, issuer=found.issuer, client_id=provider.client_id, needs=ID_TOKEN_NEEDS
    )
    tokens.require_nonce(token, attempt.nonce)
    userinfo = _userinfo(provider, found, token, said.get("access_token"))
    at = token.get("auth_time")
    is_time = isinstance(at, int | float) and not isinstance(at, bool)
    sid = token.get("sid")
    return Proof(
        identity=claims.identity(provider, found.issuer, token, userinfo),
        authenticated_at=float(at) if is_time and at is not None else None,
        session_id=sid if claims.is_text(sid) else "",
        id_token=str(id_token),
        end_session_url=found.end_session_url,
    )


def require_fresh(proof: Proof, seconds: int) -> float:
    """When the person proved to the provider that it is they: within these seconds.

    Raises SignInError: nothing but ``auth_time`` is believed.
    """
    now = time.time()
    at = proof.authenticated_at
    if at is None or at > now + tokens.LEEWAY:
        raise SignInError(
            "auth_time_missing",
            "Your company's sign-in did not say when you last proved that it is you (auth_time), "
            "so this portal can't go on with what you wanted. Tell an operator of this portal.",
            status=403,
            title="We could not confirm that it is you",
        )
    at = min(at + 1, now)  # whole seconds are sent: it may have been at the end of this one
    if now - at > seconds:
        raise SignInError(
            "auth_time_old",
            "Your company's sign-in let you through without asking you again, and this needs a "
            "fresh sign-in. Try again, and sign in there when you are asked.",
            status=403,
            title="We could not confirm that it is you",
        )
    return at


def _require_no_error(answer: dict[str, str]) -> None:
    error = answer.get("error", "")
    if error in NOT_NOW:
        raise away(f"the answer says {error}")
    if error == "access_denied":
        raise SignInError(
            "access_denied",
            "Your company's sign-in did not let you in, or you stopped there. Try again; if you "
            "should have access, ask whoever assigns people to this portal there."
            + _described(answer),
            status=403,
        )
    if error or not answer.get("code"):
        name = error[:60] if ERROR_NAME.fullmatch(error) else "other"
        code = f"provider:{name}" if error else "code_missing"
        raise SignInError(code, tokens.REFUSED.format(code=code) + _described(answer))


def _described(answer: dict[str, str]) -> str:
    said = "".join(one for one in answer.get("error_description", "") if one.isprintable())
    return f" It said: “{said[:LARGEST_DESCRIPTION]}”" if said else ""


def _require_issuer(found: Configuration, answer: dict[str, str]) -> None:
    """RFC 9207: an answer of another provider is no answer."""
    said = answer.get("iss")
    must = found.said.get("authorization_response_iss_parameter_supported") is True
    if (said is None and must) or (said is not None and said != found.issuer):
        raise refused("issuer")


def _redeem(
    provider: OpenID, found: Configuration, code: str, attempt: Attempt, callback: str
) -> dict[str, Any]:
    """The tokens for a code."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback,
        "code_verifier": attempt.code_verifier,
    }
    # By form where it is offered: how a client's id is written in Basic is understood differently.
    methods = found.said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    basic = None
    if "client_secret_post" in methods:
        form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
    else:
        basic = quote(provider.client_id, safe=""), quote(provider.client_secret, safe="")
    url = found.address("token_endpoint")
    answer = exchange("POST", url, "the provider's tokens", form=form, basic=basic)
    said = answer.json("the provider's tokens")
    if answer.status == 200:
        return said
    if said.get("error") in ("invalid_client", "unauthorized_client") or answer.status == 401:
        raise nonsense("the provider does not take PORTAL_OIDC_CLIENT_ID and its secret")
    raise refused("code")


def _keys(found: Configuration) -> dict[str, Any]:
    return get(found.address("jwks_uri"), "the provider's keys")


def _userinfo(
    provider: OpenID, found: Configuration, token: dict[str, Any], access_token: object
) -> dict[str, Any]:
    """What userinfo says, where the token leaves something out."""
    says_verified = provider.trusts_email or "email_verified" in token
    has_email = bool(token.get("email")) and says_verified
    is_whole = has_email and claims.has_groups(token, provider.groups_claim)
    if is_whole or not found.said.get("userinfo_endpoint"):
        return {}
    if not isinstance(access_token, str) or not access_token.isascii():
        raise nonsense("the provider's tokens hold no access token")
    said = get(
        found.address("userinfo_endpoint"),
        "userinfo",
        headers={"Authorization": f"Bearer {access_token}"},
    )
    if said.get("sub") != token.get("sub"):
        raise refused("userinfo_subject")
    return said


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
