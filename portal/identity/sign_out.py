"""Sign-outs at the provider: those it tells of, and the address where one of ours goes on."""

import hashlib
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.cache import cache

from portal.identity import openid, tokens
from portal.identity.claims import is_text
from portal.identity.tokens import refused
from portal.identity.wire import get
from portal.openid_settings import OpenID

EVENT = "http://schemas.openid.net/event/backchannel-logout"
NEEDS = ("iss", "aud", "iat", "jti", "events")
GOOD_FOR = 3600
"""Seconds for which a message is good that does not say so itself (``exp``)."""
LONGEST = 30 * 86_400
"""Seconds for which a message is known again at most."""
LONGEST_HINT = 3000
"""Characters of an id token that an address has room for."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Which sessions have ended at the provider: of a person, or one of theirs."""

    provider: str
    subject: str
    session_id: str


def verified(provider: OpenID, logout_token: str) -> Ended:
    """What a message says, once it has passed every check. Raises SignInError.

    OpenID Connect Back-Channel Logout 1.0, section 2.6.
    """
    tokens.readable(logout_token)  # strangers' nonsense asks the provider nothing
    found = openid.configuration(provider)
    keys = get(found.address("jwks_uri"), "the provider's keys")
    claims = tokens.verified(
        logout_token, keys, issuer=found.issuer, client_id=provider.client_id, needs=NEEDS
    )
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise refused("events")
    if "nonce" in claims:
        raise refused("nonce")
    subject, session_id = claims.get("sub", ""), claims.get("sid", "")
    given = [one for one in (subject, session_id) if one != ""]
    if not given or not all(is_text(one) for one in given):
        raise refused("subject")
    seconds = int(claims.get("exp", claims["iat"] + GOOD_FOR)) - time.time() + tokens.LEEWAY
    if seconds <= 0:
        raise refused("expired")
    message = hashlib.sha256(f"{found.issuer} {claims['jti']}".encode()).hexdigest()
    if not cache.add(f"sign-out:{message}", value=1, timeout=round(min(seconds + 1, LONGEST))):
        raise refused("replayed")
    return Ended(found.issuer, subject, session_id)


def address_to_end_session(url: str, provider: OpenID, *, id_token: str, after: str) -> str:
    """Where a browser ends its session at the provider (RP-Initiated Logout 1.0)."""
    said = {"client_id": provider.client_id, "post_logout_redirect_uri": after}
    if id_token and len(id_token) <= LONGEST_HINT:
        said["id_token_hint"] = id_token
    return f"{url}{'&' if '?' in url else '?'}{urlencode(said)}"
