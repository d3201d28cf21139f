"""A provider's answer, checked: whatever is read from it has been signed by the provider.

python3-saml checks the schema, issuer, status and signatures. What it leaves open is checked here,
on the signed assertion: that there is an audience, a destination and a recipient, and that each is
the portal's own to the letter; that times hold within a minute; and that the request which the
answer names is named by the signed part.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from onelogin.saml2.errors import OneLogin_Saml2_ValidationError
from onelogin.saml2.response import OneLogin_Saml2_Response

from portal.identity.person import SignInError
from portal.identity.saml import document
from portal.identity.saml.document import SAML
from portal.identity.saml.errors import error
from portal.identity.saml.library import UNSPECIFIED, library_settings
from portal.identity.saml.metadata import IdentityProvider
from portal.identity.saml.us import us

CLOCKS = timedelta(seconds=60)
"""By which the provider's clock and ours may differ."""
FOR_EVER = datetime(9000, 1, 1, tzinfo=UTC)
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

_Invalid = OneLogin_Saml2_ValidationError
_CODES = {
    _Invalid.INVALID_SIGNATURE: "signature",
    _Invalid.WRONG_ISSUER: "issuer",
    _Invalid.ISSUER_NOT_FOUND_IN_ASSERTION: "issuer",
    _Invalid.ISSUER_MULTIPLE_IN_RESPONSE: "issuer",
    _Invalid.WRONG_AUDIENCE: "audience",
    _Invalid.WRONG_DESTINATION: "destination",
    _Invalid.EMPTY_DESTINATION: "destination",
    _Invalid.ASSERTION_TOO_EARLY: "too_early",
    _Invalid.ASSERTION_EXPIRED: "expired",
    _Invalid.SESSION_EXPIRED: "expired",
    _Invalid.WRONG_SUBJECTCONFIRMATION: "recipient",
    _Invalid.STATUS_CODE_IS_NOT_SUCCESS: "refused_by_provider",
    _Invalid.NO_SIGNED_ASSERTION: "unsigned",
    _Invalid.NO_SIGNATURE_FOUND: "unsigned",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider has said, signed.

    ``request`` is the ID of the portal's request that it answers, empty where the sign-in began at
    the provider. ``until`` is when the assertion is good no longer, with any clock.
    """

    assertion: str
    request: str
    until: datetime
    signed_in_at: datetime
    name_id: str
    name_id_format: str
    attributes: Mapping[str, list[str]]


def verify(encoded: str, provider: IdentityProvider) -> Answer:
    """Read an answer as it was posted. Raises SignInError."""
    text, root = document.read(encoded)
    assertion = root.find(f"{SAML}Assertion")
    try:
        _check_signed(text, provider)
    except SignInError as wrong:
        if wrong.code == "recipient" and assertion is not None:
            _checked(root, assertion)  # says more exactly what is wrong: it may have come too late
        raise
    if assertion is None:
        raise error("invalid")
    return _checked(root, assertion)


def _check_signed(text: str, provider: IdentityProvider) -> None:
    scheme, _, rest = us().acs.partition("://")
    host, _, path = rest.partition("/")
    asked: dict[str, Any] = {
        "https": "on" if scheme == "https" else "off",
        "http_host": host,
        "script_name": f"/{path}",
        "get_data": {},
        "post_data": {},
    }
    try:
        response = OneLogin_Saml2_Response(library_settings(provider), document.encoded(text))
        response.is_valid(asked, raise_exceptions=True)
    except OneLogin_Saml2_ValidationError as wrong:
        raise error(_CODES.get(wrong.code, "invalid")) from None
    except Exception:  # noqa: BLE001 (it raises bare ones, and trips over what it has not checked)
        raise error("invalid") from None


def _checked(root: Any, assertion: Any) -> Answer:
    now = timezone.now()
    conditions = assertion.find(f"{SAML}Conditions")
    statement = assertion.find(f"{SAML}AuthnStatement")
    if root.get("Destination") != us().acs:
        raise error("destination")
    restrictions = conditions.findall(f"{SAML}AudienceRestriction")
    named = [{_text(one) for one in each.findall(f"{SAML}Audience")} for each in restrictions]
    if not named or not all(us().entity_id in audiences for audiences in named):
        raise error("audience")
    until = [_check_times(conditions, now), *_confirmed(root, assertion, now)]
    signed_in_at = _moment(statement.get("AuthnInstant"))
    issued = _moment(assertion.get("IssueInstant"))
    if issued is None or signed_in_at is None:
        raise error("invalid")
    if max(issued, signed_in_at) > now + CLOCKS:
        raise error("too_early")
    name_id = assertion.find(f"{SAML}Subject/{SAML}NameID")
    if name_id is None or not _text(name_id):
        raise error("no_name_id")
    if name_id.get("SPNameQualifier") not in (None, us().entity_id):
        raise error("audience")
    return Answer(
        assertion=assertion.get("ID"),
        request=root.get("InResponseTo") or "",
        until=min(max(one for one in until if one), FOR_EVER) + CLOCKS,
        signed_in_at=signed_in_at,
        name_id=_text(name_id),
        name_id_format=name_id.get("Format") or UNSPECIFIED,
        attributes=_attributes(assertion),
    )


def _confirmed(root: Any, assertion: Any, now: datetime) -> list[datetime]:
    """When the confirmations end by which the bearer may use the assertion; raises for none."""
    request = root.get("InResponseTo") or ""
    wrong = error("recipient")
    found = []
    for one in assertion.findall(f"{SAML}Subject/{SAML}SubjectConfirmation"):
        data = one.find(f"{SAML}SubjectConfirmationData")
        if one.get("Method") != BEARER or data is None:
            continue
        if data.get("Recipient") != us().acs or not data.get("NotOnOrAfter"):
            continue
        if (data.get("InResponseTo") or "") != request:
            wrong = error("request")
            continue
        try:
            until = _check_times(data, now)
        except SignInError as other:
            wrong = other
            continue
        found += [until] if until else []
    if not found:
        raise wrong
    return found


def _check_times(element: Any, now: datetime) -> datetime | None:
    """Whether it holds now; returns until when."""
    begin, end = element.get("NotBefore"), element.get("NotOnOrAfter")
    since, until = _moment(begin), _moment(end)
    if (begin and since is None) or (end and until is None):
        raise error("invalid")
    if since and since > now + CLOCKS:
        raise error("too_early")
    if until and until <= now - CLOCKS:
        raise error("expired")
    return until


def _moment(text: str | None) -> datetime | None:
    """An xs:dateTime, which SAML has in UTC (core, section 1.3.3); None for what is none."""
    try:
        found = parse_datetime(text or "")
        if found is None:
            return None
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _attributes(assertion: Any) -> dict[str, list[str]]:
    """By name, and by friendly name where no attribute has that as its name."""
    found: dict[str, list[str]] = {}
    friendly: dict[str, list[str]] = {}
    for one in assertion.findall(f"{SAML}AttributeStatement/{SAML}Attribute"):
        values = [_text(value) for value in one.findall(f"{SAML}AttributeValue")]
        found.setdefault(one.get("Name", ""), []).extend(filter(None, values))
        if one.get("FriendlyName"):
            friendly.setdefault(one.get("FriendlyName"), []).extend(filter(None, values))
    return friendly | found


def _text(element: Any) -> str:
    return "".join(element.itertext()).strip()
