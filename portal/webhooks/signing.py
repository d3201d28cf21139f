"""Secrets of webhooks, and the headers of a message as Standard Webhooks has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.conf import settings
from standardwebhooks import Webhook as Signer

from portal import sealing
from portal.secret_keys import secret_keys

CannotUnlockError = sealing.CannotUnlockError

SECRET_BYTES = 32
SHOWN_FOR = timedelta(minutes=15)
"""How long a new secret is shown to who made it, unless they say before that they have stored it.
"""
_PURPOSE = "secrets and addresses of webhooks"


def new_secret() -> str:
    """A secret that nobody has had before, as receivers take it: ``whsec_`` and base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def headers(message_id: str, body: str, *, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers that tell who sends a message, and when; one signature for each secret."""
    at = at.astimezone(UTC)  # the library takes any time for one of UTC
    signatures = (Signer(secret).sign(message_id, at, body) for secret in secrets)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def lock(text: str) -> str:
    """A secret or an address as its row has it. The address too: whoever knows one of Slack's may
    write there."""
    return sealing.lock(text, purpose=_PURPOSE, secrets=secret_keys())


def unlock(locked: str) -> str:
    """The same as it was. Raises CannotUnlockError where no secret key of ours opens it."""
    return sealing.unlock(locked, purpose=_PURPOSE, secrets=secret_keys())


def is_locked_with_the_key_of_now(locked: str) -> bool:
    """Whether it need not be locked anew: SECRET_KEY may be another one by now."""
    return sealing.is_locked_with(locked, purpose=_PURPOSE, secret=settings.SECRET_KEY)
