"""Who somebody is, by what a provider's answer says of them."""

from collections.abc import Mapping
from typing import NamedTuple

from django.conf import settings

from portal import mailbox
from portal.saml.answer import Answer
from portal.saml.errors import error

EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
LONGEST_SUBJECT = 191
"""Characters: what django-allauth keeps of one."""

CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
EMAILS = ("email", "mail", f"{CLAIMS}/emailaddress", "urn:oid:0.9.2342.19200300.100.1.3")
"""Names under which providers send the address, where PORTAL_SAML_EMAIL_ATTRIBUTE names none."""
GROUPS = ("groups", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups")
LEFT_OUT = "groups.link"
"""How the name of the attribute ends that Entra sends instead of more than 150 groups."""
VERIFIED = ("email_verified", "http://schemas.auth0.com/email_verified")
NAMES = ("name", "displayName", f"{CLAIMS}/name", "urn:oid:2.16.840.1.113730.3.1.241")


class Said(NamedTuple):
    """What the provider says. ``email`` is None where it says none that the portal can believe.

    ``groups`` is None where the provider has left them out for their number.
    """

    subject: str
    email: str | None
    name: str
    groups: list[str] | None


def said(answer: Answer) -> Said:
    """Who the answer is about. Raises SamlError where it does not say."""
    email = _email(answer)
    subject = answer.name_id
    if answer.name_id_format == EMAIL_FORMAT:
        subject = mailbox.folded(subject)
    elif answer.name_id_format == TRANSIENT:
        # A name for this one sign-in: only the address tells who it is.
        subject = email or ""
    if not subject or len(subject) > LONGEST_SUBJECT or not subject.isprintable():
        raise error("no_name_id")
    return Said(subject, email, _first(answer.attributes, NAMES), _groups(answer.attributes))


def _email(answer: Answer) -> str | None:
    named = settings.SAML_EMAIL_ATTRIBUTE
    found = _first(answer.attributes, (named,) if named else EMAILS)
    if not found and answer.name_id_format == EMAIL_FORMAT:
        found = answer.name_id
    if _first(answer.attributes, VERIFIED).lower() in ("false", "0"):
        return None
    try:
        return mailbox.canonical(found)
    except mailbox.NotAnAddressError:
        return None


def _groups(attributes: Mapping[str, list[str]]) -> list[str] | None:
    named = settings.SAML_GROUPS_ATTRIBUTE
    if any(name.endswith(LEFT_OUT) or (named and name == f"{named}.link") for name in attributes):
        return None
    names = (named,) if named else GROUPS
    return list(dict.fromkeys(group for name in names for group in attributes.get(name, ())))


def _first(attributes: Mapping[str, list[str]], names: tuple[str, ...]) -> str:
    return next((values[0] for name in names if (values := attributes.get(name))), "")
