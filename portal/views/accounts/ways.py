"""By what somebody has just signed in, for the audit log."""

from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from django.http import HttpRequest

from portal.models import User
from portal.views.accounts.arrival import METHOD

_OF_METHOD = {"password": "password", METHOD: "single sign-on"}
_OF_FACTOR = {
    "totp": "authenticator app",
    "recovery_codes": "recovery code",
    "webauthn": "passkey",
}


def in_words(request: HttpRequest, person: User) -> str:
    """``password and authenticator app``: what was given since the sign-in began."""
    given: list[str] = []
    for record in get_authentication_records(request, person):
        if record.get("method") in _OF_METHOD or record.get("passwordless"):
            given = []
        given.append(_in_words(record))
    return " and ".join(filter(None, given))


def _in_words(record: dict[str, Any]) -> str:
    factor = _OF_FACTOR.get(str(record.get("type")), "")
    return _OF_METHOD.get(str(record.get("method")), factor)
