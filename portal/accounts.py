"""How accounts are to work: the settings of django-allauth, and what a new password must be."""

from typing import Any

SHORTEST_PASSWORD = 15
"""Characters, without a second factor (OWASP ASVS 5.0, 6.2.9; NIST SP 800-63B-4)."""
SHORTEST_BESIDE_A_FACTOR = 8
"""Characters, with one (OWASP ASVS 5.0, 6.2.1)."""

_LIMITS = {
    # What a stranger, or a thief of a session, uses up would keep the real person out:
    # portal.limits counts these, and leaves a way in (docs/decisions/0018).
    "login": None,
    "change_password": None,
    "reset_password": None,
    "reset_password_from_key": None,
    "reauthenticate": None,
    # Passwords are portal.views.accounts.guessing's, codes portal.forms.second_factor's. A passkey
    # can't be guessed.
    "login_failed": None,
}


def settings(*, limits: bool) -> dict[str, Any]:
    """Django's settings of these names; ``limits`` says whether tries are limited at all."""
    validators = "django.contrib.auth.password_validation"
    return {
        "AUTH_PASSWORD_VALIDATORS": [
            {"NAME": "portal.passwords.ContextWordsValidator"},
            {
                "NAME": f"{validators}.UserAttributeSimilarityValidator",
                "OPTIONS": {"user_attributes": ("email", "name")},
            },
            {"NAME": "portal.passwords.LengthValidator"},
            {"NAME": "portal.passwords.KnownPasswordValidator"},
            {"NAME": f"{validators}.NumericPasswordValidator"},
        ],
        "ACCOUNT_ADAPTER": "portal.views.accounts.adapter.AccountAdapter",
        "ACCOUNT_FORMS": {
            "login": "portal.forms.sign_in.LoginForm",
            "reset_password": "portal.views.accounts.passwords.ResetPasswordForm",
            "change_password": "portal.views.accounts.passwords.ChangePasswordForm",
        },
        "ACCOUNT_USER_MODEL_USERNAME_FIELD": None,
        "ACCOUNT_LOGIN_METHODS": {"email"},
        "ACCOUNT_SIGNUP_FIELDS": ["email*", "password1*"],
        "ACCOUNT_UNIQUE_EMAIL": True,
        # People come from the access file, not from a sign-up form.
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_LOGOUT_REDIRECT_URL": "account_login",
        "ACCOUNT_LOGOUT_ON_GET": False,
        "ACCOUNT_SESSION_REMEMBER": False,
        "ACCOUNT_PREVENT_ENUMERATION": True,
        "ACCOUNT_EMAIL_SUBJECT_PREFIX": "",
        "ACCOUNT_RATE_LIMITS": _LIMITS if limits else False,
        "MFA_ADAPTER": "portal.views.accounts.factor_adapter.FactorAdapter",
        "MFA_FORMS": {
            "authenticate": "portal.forms.second_factor.AuthenticateForm",
            "reauthenticate": "portal.forms.second_factor.ReauthenticateForm",
            "activate_totp": "portal.forms.second_factor.ActivateTOTPForm",
            "deactivate_totp": "portal.forms.second_factor.DeactivateTOTPForm",
            "add_webauthn": "portal.forms.passkeys.AddWebAuthnForm",
            "edit_webauthn": "portal.forms.passkeys.EditWebAuthnForm",
            "authenticate_webauthn": "portal.forms.passkeys.AuthenticateWebAuthnForm",
            "login_webauthn": "portal.forms.passkeys.LoginWebAuthnForm",
            "reauthenticate_webauthn": "portal.forms.passkeys.ReauthenticateWebAuthnForm",
        },
        # Recovery codes are portal.factors': allauth's come from a seed that could be read again.
        "MFA_SUPPORTED_TYPES": ["totp", "webauthn"],
        "MFA_PASSKEY_LOGIN_ENABLED": True,
        "MFA_WEBAUTHN_USER_VERIFICATION": "required",
        "MFA_TOTP_TOLERANCE": 1,  # periods of 30 seconds, before and after: phones' clocks differ
        # Nobody can guess a passkey: this is against floods, and an office has one address.
        "MFA_RATE_LIMITS": {"webauthn_login": "300/m/ip"} if limits else {"webauthn_login": None},
    }
