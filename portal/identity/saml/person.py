"""Who somebody is, by what a provider's answer says of them."""

from collections.abc import Mapping

from portal import mailbox
from portal.identity.claims import one_line
from portal.identity.person import Identity
from portal.identity.saml.answer import Answer
from portal.identity.saml.errors import error
from portal.identity.saml.us import us

EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"

CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
EMAILS = ("email", "mail", f"{CLAIMS}/emailaddress", "urn:oid:0.9.2342.19200300.100.1.3")
"""Names under which providers send the address, where PORTAL_SAML_EMAIL_ATTRIBUTE names none."""
GROUPS = ("groups", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups")
LEFT_OUT = "groups.link"
"""How the name of the attribute ends that Entra sends instead of more than 150 groups."""
VERIFIED = ("email_verified", "http://schemas.auth0.com/email_verified")
NAMES = ("name", "displayName", f"{CLAIMS}/name", "urn:oid:2.16.840.1.113730.3.1.241")


def identity(provider: str, answer: Answer) -> Identity:
    """Who the answer of the provider of this entity ID is about.

    Raises SignInError where it does not say.
    """
    email = _email(answer)
    subject = answer.name_id
    if answer.name_id_format == EMAIL_FORMAT:
        subject = mailbox.folded(subject)
    elif answer.name_id_format == TRANSIENT:
        # A name for this one sign-in: only the address tells who it is.
        subject = mailbox.folded(email)
    if not subject:
        raise error("no_name_id")
    # Of a company's provider, whose word is what the portal goes by, unless it says otherwise.
    is_verified = _first(answer.attributes, VERIFIED).lower() not in ("false", "0")
    if not is_verified and "@" in subject:  # who it is would hang on the address
        raise error("email_unverified")
    return Identity(
        provider=provider,
        subject=subject,
        email=email,
        email_verified=is_verified,
        name=one_line(_first(answer.attributes, NAMES)),
        groups=_groups(answer.attributes),
    )


def _email(answer: Answer) -> str:
    named = us().email_attribute
    found = _first(answer.attributes, (named,) if named else EMAILS)
    return found or (answer.name_id if answer.name_id_format == EMAIL_FORMAT else "")


def _groups(attributes: Mapping[str, list[str]]) -> frozenset[str] | None:
    """The groups; None where the provider has left them out for their number."""
    named = us().groups_attribute
    if any(name.endswith(LEFT_OUT) or (named and name == f"{named}.link") for name in attributes):
        return None
    names = (named,) if named else GROUPS
    return frozenset(group for name in names for group in attributes.get(name, ()))


def _first(attributes: Mapping[str, list[str]], names: tuple[str, ...]) -> str:
    return next((values[0] for name in names if (values := attributes.get(name))), "")
