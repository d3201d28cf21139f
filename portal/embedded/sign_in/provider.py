"""What the provider knows, and the tokens that it signs (OpenID Connect Core 1.0)."""

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

GOOD_FOR = 300
"""Seconds, of codes and tokens."""


@dataclass(slots=True)
class Somebody:
    """A person at the provider; ``about`` says to a reader who it is."""

    email: str
    name: str = ""
    about: str = ""
    groups: list[str] = field(default_factory=list)

    @property
    def subject(self) -> str:
        return hashlib.sha256(self.email.encode()).hexdigest()[:24]


@dataclass(slots=True)
class Session:
    """Somebody's session in one browser at the provider."""

    person: Somebody
    signed_in_at: float
    number: str = field(default_factory=lambda: secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code, or an access token, is good for."""

    session: Session
    redirect_uri: str
    nonce: str
    challenge: str
    until: float


class ProviderError(Exception):
    """An error of OAuth 2.0 (RFC 6749, section 5.2); its text is the code."""


class Provider:
    """One client, a handful of people, everything in memory."""

    algorithm = "RS256"

    def __init__(
        self,
        issuer: str,
        people: list[Somebody],
        *,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
    ) -> None:
        self.issuer = issuer
        self.people = {one.email: one for one in people}
        self.client_id, self.client_secret = client_id, client_secret
        self.redirect_uri = redirect_uri
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = secrets.token_hex(4)
        self.sessions: dict[str, Session] = {}
        self._codes: dict[str, Grant] = {}
        self._access_tokens: dict[str, Grant] = {}

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/end-session",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "scopes_supported": ["openid", "profile", "email"],
        }

    def keys(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": self.algorithm}]}

    def require_client(self, query: dict[str, str]) -> None:
        """Raises ProviderError for a request of another client, or without PKCE."""
        if query.get("client_id") != self.client_id:
            raise ProviderError("unauthorized_client")
        if query.get("redirect_uri") != self.redirect_uri:
            raise ProviderError("invalid_request")
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            raise ProviderError("invalid_request")

    def sign_in(self, email: str) -> Session:
        session = Session(self.people[email], time.time())
        self.sessions[session.number] = session
        return session

    def answer(self, query: dict[str, str], session: Session) -> dict[str, str]:
        """What the browser is sent back with."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = Grant(
            session,
            query["redirect_uri"],
            query.get("nonce", ""),
            query["code_challenge"],
            time.time() + GOOD_FOR,
        )
        return {"code": code, "state": query.get("state", ""), "iss": self.issuer}

    def redeem(self, form: dict[str, str]) -> dict[str, Any]:
        """The tokens for a code, once. Raises ProviderError."""
        if form.get("client_id") != self.client_id or not hmac.compare_digest(
            form.get("client_secret", "").encode(), self.client_secret.encode()
        ):
            raise ProviderError("invalid_client")
        grant = self._codes.pop(form.get("code", ""), None)
        if grant is None or grant.until < time.time():
            raise ProviderError("invalid_grant")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != grant.challenge or form.get("redirect_uri") != grant.redirect_uri:
            raise ProviderError("invalid_grant")
        access_token = secrets.token_urlsafe(24)
        self._access_tokens[access_token] = grant
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": GOOD_FOR,
            "id_token": self.sign(self.claims(grant)),
        }

    def claims(self, grant: Grant) -> dict[str, Any]:
        """What an ID token says."""
        now = int(time.time())
        return {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + GOOD_FOR,
            "nonce": grant.nonce,
            "auth_time": int(grant.session.signed_in_at),
            "sid": grant.session.number,
            **self.profile(grant.session.person),
        }

    def profile(self, person: Somebody) -> dict[str, Any]:
        return {
            "sub": person.subject,
            "email": person.email,
            "email_verified": True,
            "name": person.name,
            "groups": person.groups,
        }

    def userinfo(self, access_token: str) -> dict[str, Any]:
        """Raises ProviderError for a token that is none of ours."""
        grant = self._access_tokens.get(access_token)
        if grant is None or grant.until < time.time():
            raise ProviderError("invalid_token")
        return self.profile(grant.session.person)

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.key, algorithm=self.algorithm, headers={"kid": self.kid})
