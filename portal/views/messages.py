"""What is told on the next page travels in a cookie."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage


class HostCookieStorage(CookieStorage):
    """Django's, under a name that binds it to this host as the other cookies are (RFC 6265bis)."""

    cookie_name = "__Host-messages" if settings.HTTPS else "messages"
