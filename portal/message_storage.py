"""Where what is said once on the next page waits for that page."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class _MessageCookie(CookieStorage):
    """Bound to the host and to TLS like the others, when there is TLS."""

    cookie_name = "__Host-messages" if settings.HTTPS else "messages"


class MessageStorage(FallbackStorage):
    """What is said once on the next page: in a cookie, or in the session if that is too long."""

    storage_classes = (_MessageCookie, SessionStorage)
