"""Signed tokens of an OpenID provider, believed after every check that the specification has.

OpenID Connect Core 1.0, section 3.1.3.7; RFC 8725. django-allauth's provider checks neither the
signature nor the nonce (docs/decisions/0030).
"""

import hmac
from typing import Any

import jwt

from portal.identity.person import SignInError
from portal.identity.wire import nonsense

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Of public keys alone: with HS256, whoever knows the public key could sign."""
LEEWAY = 10
"""Seconds that clocks may differ."""
LONGEST_TOKEN = 256 * 1024
REFUSED = (
    "The answer of your company's sign-in did not pass a check ({code}), so nobody was signed in. "
    "Try again; if it goes on, tell an operator of this portal this code."
)
_CODES: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "not_yet_valid"),
    (jwt.InvalidIssuedAtError, "not_yet_valid"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.InvalidAlgorithmError, "algorithm"),
    (jwt.InvalidSignatureError, "signature"),
    (jwt.MissingRequiredClaimError, "claim_missing"),
)


def refused(code: str, *, status: int = 403) -> SignInError:
    """An answer that did not pass a check, in the person's words."""
    return SignInError(code, REFUSED.format(code=code), status=status)


def verified(
    token: object, keys: dict[str, Any], *, issuer: str, client_id: str, needs: tuple[str, ...]
) -> dict[str, Any]:
    """What a token says, once it has passed: signature, algorithm, issuer, audience, times.

    ``keys`` is a JSON Web Key Set; ``needs`` are claims that must be there. Raises SignInError.
    """
    algorithm, kid = readable(token)
    fitting = _fitting(keys, algorithm, kid)
    if not fitting:
        raise refused("signature")
    error: SignInError = refused("signature")
    for key in fitting:
        try:
            claims: dict[str, Any] = jwt.decode(
                str(token),
                key=key,
                algorithms=[algorithm],
                audience=client_id,
                issuer=issuer,
                leeway=LEEWAY,
                options={"require": list(needs)},
            )
        except jwt.PyJWTError as failure:
            error = refused(_code(failure))
            if error.code != "signature":
                raise error from None
        except (TypeError, ValueError, OverflowError):
            raise refused("token_malformed") from None
        else:
            _require_party(claims, client_id)
            return claims
    raise error


def readable(token: object) -> tuple[str, object]:
    """The algorithm and the key's id that a token names, before anything of it is believed.

    Raises SignInError for what is no token, or wants an algorithm that nobody may use.
    """
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
        raise refused("token_malformed")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        raise refused("token_malformed") from None
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise refused("algorithm")
    return str(algorithm), header.get("kid")


def require_nonce(claims: dict[str, Any], nonce: str) -> None:
    """The token answers this very sign-in. Raises SignInError."""
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
        raise refused("nonce")


def _require_party(claims: dict[str, Any], client_id: str) -> None:
    """Meant for several, a token must say that it was made for us."""
    party = claims.get("azp")
    audience = claims.get("aud")
    is_for_several = isinstance(audience, list) and len(audience) > 1
    if (party is not None or is_for_several) and party != client_id:
        raise refused("audience")


def has_keys(keys: dict[str, Any]) -> bool:
    """Whether a token could be verified by any of these keys. Raises SignInError."""
    return any(_fitting(keys, algorithm, None) for algorithm in ALGORITHMS)


def _fitting(keys: dict[str, Any], algorithm: str, kid: object) -> list[Any]:
    """The provider's keys that may have made such a signature; all of them, without a ``kid``."""
    listed = keys.get("keys")
    if not isinstance(listed, list):
        raise nonsense("the keys are no JSON Web Key Set")
    found = []
    for one in listed:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig":
            continue
        if kid is not None and one.get("kid") != kid:
            continue
        if one.get("alg", algorithm) != algorithm or one.get("kty") == "oct":
            continue
        try:
            found.append(jwt.PyJWK(one, algorithm=algorithm).key)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue  # of another kind, or one that this machine can't read
    return found


def _code(error: jwt.PyJWTError) -> str:
    return next((code for kind, code in _CODES if isinstance(error, kind)), "token_malformed")
