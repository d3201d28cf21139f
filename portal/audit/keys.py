"""The keys of the chain, as the settings have them."""

from django.conf import settings


def current() -> bytes:
    """The key that events are written and exports are signed with."""
    key: str = settings.AUDIT_KEY
    return key.encode()


def every() -> list[bytes]:
    """That one, and those that were in use before: what was written stays as it is."""
    return [current(), *(key.encode() for key in settings.AUDIT_KEYS_RETIRED)]
