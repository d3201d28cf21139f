"""Codes of authenticator apps and recovery codes, as people type them."""

from typing import Any

from allauth.core import context
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY, generate_totp_secret
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from portal import factors, limits, requester
from portal.flows.sign_in import sign_in_failed
from portal.limits.table import WRONG_CODES
from portal.models import User

LONGEST_CODE = 40
"""Characters: with room for the blanks that people and apps put in."""


class CodeField(forms.CharField):
    """A code; password managers know it by its name."""

    def __init__(self, **kwargs: Any) -> None:
        attributes = {
            "autocomplete": "one-time-code",
            "autocapitalize": "none",
            "spellcheck": "false",
        }
        super().__init__(
            max_length=LONGEST_CODE, widget=forms.TextInput(attrs=attributes), **kwargs
        )


class AuthenticateForm(forms.Form):
    """Asks for a code of somebody who has given their password."""

    code = CodeField(
        label="Code",
        help_text="Six digits of your authenticator app, or one of your recovery codes.",
    )
    reauthenticated = False

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean_code(self) -> str:
        """Raises LimitExceededError where too many were wrong."""
        typed: str = self.cleaned_data["code"]
        limits.take(WRONG_CODES, str(self.user.pk), person=self.user)
        found = factors.use_code(self.user, typed)
        if found is None:
            record_failure(context.request, self.user)
            raise ValidationError(
                "This code is wrong, or it was used already. Codes of an app change every 30 "
                "seconds, and each is good once; if none is taken, look whether the clock of your "
                "phone is right."
            )
        limits.give_back(WRONG_CODES, str(self.user.pk))
        found.user = self.user
        self.authenticator = found
        return typed

    def save(self) -> None:
        post_authentication(
            context.request, self.authenticator, reauthenticated=self.reauthenticated
        )


class ReauthenticateForm(AuthenticateForm):
    """Asks somebody who is signed in for another code."""

    reauthenticated = True


class ActivateTOTPForm(forms.Form):
    """Asks for a code of the app that has just been given its seed, so that it is known to work."""

    code = CodeField(label="Code that the app shows")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.secret = _seed(context.request, is_new=not self.is_bound)

    def clean_code(self) -> str:
        typed: str = self.cleaned_data["code"]
        self.counter = factors.counter_of(self.secret, typed)
        if self.counter is None:
            raise ValidationError(
                "This is not the code that the app should show now. Type the one that it shows at "
                "this moment; if that is wrong too, look whether the clock of your phone is right."
            )
        return typed


def _seed(request: HttpRequest, *, is_new: bool) -> str:
    """The seed that is offered, kept locked in the person's session until a code proves it."""
    kept = request.session.get(SECRET_SESSION_KEY)
    if not is_new and isinstance(kept, str):
        try:
            return factors.open_seed(kept)
        except factors.CannotUnlockError:
            pass
    seed: str = generate_totp_secret()
    request.session[SECRET_SESSION_KEY] = factors.lock_seed(seed)
    return seed


def record_failure(request: HttpRequest, person: User) -> None:
    """Have the audit log tell that somebody was refused a second factor of this person."""
    sign_in_failed(
        person.email,
        address=requester.address(request),
        user_agent=requester.user_agent(request),
    )
