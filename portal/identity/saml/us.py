"""The portal as it is known to the provider."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from portal.saml_settings import Saml


def us() -> Saml:
    """The settings of sign-in by SAML; whoever asks has made sure that there are some."""
    found: Saml | None = settings.SAML
    if found is None:
        raise ImproperlyConfigured("PORTAL_SAML_METADATA names no provider")
    return found
