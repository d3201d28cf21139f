"""Why a sign-in by SAML came to nothing: a code for the audit log, and words for a person."""

from django.conf import settings

from portal.identity.person import SignInError


def error(code: str, **said: str) -> SignInError:
    """What is wrong with an answer, or with the metadata; ``said`` is what the message leaves open.

    It holds nothing of what was sent."""
    if (us := settings.SAML) is not None:
        said |= {"audience": us.entity_id, "acs": us.acs}
    found = SignInError(code, _MESSAGES[code].format(**said), status=_STATUS.get(code, 403))
    found.why = said.get("why", "")
    return found


_STATUS = {"missing": 400, "unreadable": 400, "too_large": 400, "metadata": 502}
_ANEW = "Begin anew at the portal's sign-in page; if it happens twice, tell an admin."
_MESSAGES = {
    # What can't be read
    "missing": "A sign-in was to end here, and no answer of your sign-in provider came with it. "
    + _ANEW,
    "too_large": "Your sign-in provider's answer is larger than the portal takes. Tell who runs "
    "the provider: it should send the groups of this application alone.",
    "unreadable": "What arrived as your sign-in provider's answer {why}, so the portal can't read "
    "it. " + _ANEW,
    "invalid": "What arrived is no answer as SAML 2.0 has it. " + _ANEW,
    "encrypted": "Your sign-in provider encrypts its answers, and the portal has no key for that. "
    "Tell who runs the provider to switch encryption of assertions off for this application: the "
    "connection itself is encrypted.",
    # Whose word it is
    "wrapped": "What arrived as your sign-in provider's answer {why}: it may have been tampered "
    "with. " + _ANEW,
    "unsigned": "The answer holds an assertion that is not signed, and anybody could have made it. "
    "Tell who runs the provider to sign the assertions, not the response alone.",
    "weak_signature": "The answer is signed by an algorithm that can be forged, or that the portal "
    "does not know. Tell who runs the provider to choose RSA with SHA-256 for signature and "
    "digest.",
    "signature": "The answer is not signed by your sign-in provider as the portal knows it. If the "
    "provider has a new certificate, its metadata must have it too. " + _ANEW,
    "issuer": "The answer comes from another provider than the portal's own. " + _ANEW,
    # Whom it is for, and when
    "audience": "The answer is meant for another application. Tell who runs the provider: the "
    "audience must be {audience}.",
    "destination": "The answer was meant for another address. Tell who runs the provider: the "
    "assertion consumer service (ACS) must be {acs}, to the letter.",
    "recipient": "The answer may not be used here. Tell who runs the provider: the recipient must "
    "be {acs}, to the letter.",
    "too_early": "The answer is from the future: the provider's clock and the portal's differ by "
    "more than a minute. Tell an operator of this portal.",
    "expired": "The answer came too late: it was good for some minutes only. If you did not wait, "
    "the provider's clock and the portal's differ. " + _ANEW,
    "replayed": "This answer was used before, and is good once. " + _ANEW,
    "request": "The answer does not belong to a sign-in that this browser has begun, or that was "
    "more than ten minutes ago. Begin anew at the portal's sign-in page.",
    # What it says
    "refused_by_provider": "Your sign-in provider did not sign you in. Perhaps the application is "
    "not assigned to you: ask who runs the provider.",
    "no_name_id": "The answer does not say who you are: its subject is empty, too long, or changes "
    "each time while no e-mail address comes with it. Tell who runs the provider to send the "
    "e-mail address as subject, in the format emailAddress.",
    "email_unverified": "The answer names you by an e-mail address, and says that it is not "
    "verified. Verify it at your company's sign-in, and try again.",
    # The provider itself
    "metadata": "The portal can't use what your sign-in provider says of itself: {why}. Tell an "
    "operator of this portal: PORTAL_SAML_METADATA names it.",
}
