"""How python3-saml is set up: strict, and with the portal's own addresses."""

from typing import Any

from onelogin.saml2.settings import OneLogin_Saml2_Settings

from portal.identity.saml.metadata import IdentityProvider
from portal.identity.saml.us import us

UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
"""What the portal asks for: each provider sends the name that it is set up to send. AWS IAM
Identity Center takes this, emailAddress, persistent and transient, and nothing else."""


def about_us() -> dict[str, Any]:
    """The portal as a service provider."""
    return {
        "strict": True,
        "security": {
            "wantAssertionsSigned": True,
            "wantAttributeStatement": False,
            "allowRepeatAttributeName": True,
            "rejectDeprecatedAlgorithm": True,
            "requestedAuthnContext": False,
            "allowSingleLabelDomains": True,
            # An empty text leaves them out: providers keep an uploaded file for years.
            "metadataValidUntil": "",
            "metadataCacheDuration": "",
        },
        "sp": {
            "entityId": us().entity_id,
            "assertionConsumerService": {"url": us().acs},
            "NameIDFormat": UNSPECIFIED,
        },
    }


def library_settings(provider: IdentityProvider) -> OneLogin_Saml2_Settings:
    """What python3-saml is to hold an answer against."""
    there = {
        "entityId": provider.entity_id,
        "singleSignOnService": {"url": provider.sso_url},
        "x509certMulti": {"signing": list(provider.certificates)},
    }
    return OneLogin_Saml2_Settings({**about_us(), "idp": there})
