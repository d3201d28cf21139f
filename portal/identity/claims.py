"""What the claims of a verified token, and those of userinfo, say of a person."""

from typing import Any, TypeGuard

from portal.identity.person import Identity
from portal.identity.tokens import refused
from portal.openid_settings import OpenID

LONGEST_NAME = 150
_ABSENT = object()


def has_groups(claims: dict[str, Any], claim: str) -> bool:
    return _at(claims, claim) is not _ABSENT


def identity(
    provider: OpenID, issuer: str, token: dict[str, Any], userinfo: dict[str, Any]
) -> Identity:
    """Who it is. The token is believed first, and userinfo what the token leaves out.

    Raises SignInError where a claim is of a wrong type.
    """
    subject = token.get("sub")
    if not is_text(subject):
        raise refused("subject")
    email = token.get("email") or userinfo.get("email") or ""
    if email and not is_text(email):
        raise refused("email_malformed")
    # Of this very address, whichever says so.
    about_it = [said for said in (token, userinfo) if said.get("email") == email]
    said = next((one["email_verified"] for one in about_it if "email_verified" in one), None)
    name = token.get("name") or userinfo.get("name") or ""
    return Identity(
        provider=issuer,
        subject=subject,
        email=email.strip(),
        # Some providers write a text instead of a truth value.
        email_verified=provider.trusts_email or said is True or said == "true",
        name=one_line(name) if isinstance(name, str) else "",
        groups=_groups(provider.groups_claim, token, userinfo),
    )


def is_text(said: object) -> TypeGuard[str]:
    """Whether a claim is a text that a database and a page can hold: JSON may say ``\\ud800``."""
    if not isinstance(said, str) or not said or "\0" in said:
        return False
    try:
        said.encode()
    except UnicodeEncodeError:
        return False
    return True


def _groups(claim: str, token: dict[str, Any], userinfo: dict[str, Any]) -> frozenset[str] | None:
    """The groups; None where the provider says that it has left them out for their number."""
    for claims in (token, userinfo):
        said = _at(claims, claim)
        if said is not _ABSENT:
            return _as_list(said)
    if any(_points_elsewhere(claims, claim) for claims in (token, userinfo)):
        return None
    return frozenset()


def _as_list(said: object) -> frozenset[str]:
    listed = [said] if isinstance(said, str) else said
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise refused("groups_malformed")
    return frozenset(one for one in listed if is_text(one))


def _points_elsewhere(claims: dict[str, Any], claim: str) -> bool:
    """Distributed claims (OpenID Connect Core 1.0, section 5.6.2), which Entra sends above 200
    groups; ``hasgroups`` is what it says where an address has no room for them."""
    names = claims.get("_claim_names")
    if isinstance(names, dict) and ({claim, claim.partition(".")[0]} & names.keys()):
        return True
    return claim == "groups" and claims.get("hasgroups") in (True, "true")


def _at(claims: dict[str, Any], claim: str) -> object:
    """A claim by its name, or else by the way inward that its dots describe; null is absence."""
    found: object = claims.get(claim)
    if found is None:
        found = claims
        for name in claim.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    return _ABSENT if found is None else found


def one_line(text: str) -> str:
    return " ".join("".join(one for one in text if one.isprintable()).split())[:LONGEST_NAME]
