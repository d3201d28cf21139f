"""What browsers answer for a passkey. All of it is what anybody may send."""

from typing import Any

from allauth.core import context
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from django import forms
from django.core.exceptions import ValidationError
from fido2.webauthn import AuthenticatorData

from portal import factors
from portal.forms.fields import legible
from portal.forms.second_factor import record_failure
from portal.models import User

LONGEST_NAME = 60
LONGEST_ANSWER = 20_000
"""Characters; an answer with its attestation takes some two thousand."""
MOST_PASSKEYS = 20
REFUSED = (
    "Your browser's answer for this passkey could not be taken: it came too late, or belongs to "
    "another passkey. Try again."
)


class AnswerField(forms.JSONField):
    """A credential as ``PublicKeyCredential.toJSON()`` writes it (WebAuthn, level 3)."""

    def __init__(self) -> None:
        super().__init__(widget=forms.HiddenInput(), error_messages={"required": REFUSED})

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > LONGEST_ANSWER:
            raise ValidationError(REFUSED)
        try:
            read = super().to_python(value)
        except (ValidationError, RecursionError, ValueError):
            raise ValidationError(REFUSED) from None
        if read is not None and not isinstance(read, dict):
            raise ValidationError(REFUSED)
        return read


class NameField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label="Name",
            max_length=LONGEST_NAME,
            help_text="So that you know it in the list: “laptop”, “key on my key ring”.",
            **kwargs,
        )

    def clean(self, value: Any) -> str:
        name = str(super().clean(value) or "").strip()
        if name:
            legible(name)
        return name


class AddWebAuthnForm(forms.Form):
    """A new passkey."""

    name = NameField(required=False)
    credential = AnswerField()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        rows = Authenticator.objects.filter(user=self.user, type=factors.PASSKEY)
        if rows.count() >= MOST_PASSKEYS:
            raise ValidationError(f"You have {MOST_PASSKEYS} passkeys: remove one first.")
        if found.get("credential"):
            made = _registered(found["credential"])
            if not made.is_user_verified():
                raise ValidationError(
                    "This device has not asked for a PIN, a finger or a face, so it can't stand in "
                    "for a password. Set up one of these on it, then try again."
                )
        found["name"] = found.get("name") or f"passkey {rows.count() + 1}"
        return found


class EditWebAuthnForm(forms.Form):
    """Another name for a passkey."""

    name = NameField()


class AuthenticateWebAuthnForm(forms.Form):
    """A passkey in place of a code."""

    credential = AnswerField()
    reauthenticated = False
    passwordless = False

    def __init__(self, *args: Any, user: User | None, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean_credential(self) -> Authenticator:
        credential = self.cleaned_data["credential"]
        person = self.user or _named_by(credential)
        try:
            auth.parse_authentication_response(credential)
            found: Authenticator = auth.complete_authentication(person, credential)
        except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
            found = None
        if found is None or not person.is_active:
            record_failure(context.request, person)
            raise ValidationError(REFUSED)
        found.user = person
        return found

    def save(self) -> None:
        post_authentication(
            context.request,
            self.cleaned_data["credential"],
            reauthenticated=self.reauthenticated,
            passwordless=self.passwordless,
        )


class LoginWebAuthnForm(AuthenticateWebAuthnForm):
    """A passkey and nothing else."""

    passwordless = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, user=None, **kwargs)


class ReauthenticateWebAuthnForm(AuthenticateWebAuthnForm):
    reauthenticated = True


def _named_by(credential: dict[str, Any]) -> User:
    try:
        found: User = auth.extract_user_from_response(credential)
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise ValidationError(REFUSED) from None
    return found


def _registered(credential: dict[str, Any]) -> AuthenticatorData:
    try:
        auth.parse_registration_response(credential)
        made: AuthenticatorData = auth.complete_registration(credential)
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
        raise ValidationError(REFUSED) from None
    return made
