"""SECRET_KEY, and those before it that are kept: what is made with any of them is good."""

from django.conf import settings


def secret_keys() -> tuple[str, ...]:
    """The one of now first: it makes, the others only open and compare (docs/KEYS.md)."""
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
