"""The key that opens a team's calendar, and nothing else.

It stands in no row: it is made of SECRET_KEY, the team, and how often the link was renewed. So who
reads the database has no link, and every page can show it.
"""

import base64
import hmac
from hashlib import sha256

from django.utils.crypto import salted_hmac

from portal.models import Team
from portal.secret_keys import secret_keys

_SALT = "portal.policy.calendar"


def calendar_key(team: Team, secret: str | None = None) -> str:
    """43 characters of A–Z, a–z, 0–9, - and _."""
    said = f"{team.pk}.{team.calendar_renewals}"
    digest = salted_hmac(_SALT, said, secret=secret, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def opens_calendar(team: Team, key: str) -> bool:
    """Whether this is the team's key, under a secret key of now or one that was replaced."""
    if team.closed_at is not None or not key.isascii():
        return False
    return any(_same(calendar_key(team, secret), key) for secret in secret_keys())


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(sha256(one.encode()).digest(), sha256(other.encode()).digest())
