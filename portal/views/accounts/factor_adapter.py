"""How allauth.mfa fits in: what is shown to apps and devices, and what is kept."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings

from portal import factors
from portal.forms.passkeys import REFUSED
from portal.models import User

NAME = "Token portal"


def relying_party() -> str:
    """The name that passkeys are bound to: the portal's host (WebAuthn's RP ID).

    No browser takes a number for a name. Where the origin has one, which is on the machine itself,
    passkeys work at ``localhost``.
    """
    host = urlsplit(settings.PORTAL_ORIGIN).hostname or "localhost"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return "localhost"


class FactorAdapter(DefaultMFAAdapter):
    """allauth's hooks."""

    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": REFUSED}

    def get_totp_issuer(self) -> str:
        return f"{NAME} ({urlsplit(settings.PORTAL_ORIGIN).hostname})"

    def encrypt(self, text: str) -> str:
        return factors.lock_seed(text)

    def decrypt(self, encrypted_text: str) -> str:
        return factors.open_seed(encrypted_text)

    def can_delete_authenticator(
        self,
        authenticator: Authenticator,  # noqa: ARG002 (allauth's signature)
    ) -> bool:
        """By portal.flows.change_factor alone."""
        return False

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Mails go out by an outbox (portal.notify), never from a page."""

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": relying_party(), "name": NAME}

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        found: dict[str, Any] = super().get_public_key_credential_user_entity(user)
        return found | {"display_name": user.get_full_name()}
