"""Addresses of second factors: django-allauth's, and its names for them, which its code knows."""

from django.urls import path
from django.views.generic import RedirectView

from portal.views.accounts import factors, passkeys

urlpatterns = [
    path("", factors.index, name="mfa_index"),
    path("authenticate/", passkeys.authenticate, name="mfa_authenticate"),
    path("reauthenticate/", passkeys.reauthenticate, name="mfa_reauthenticate"),
    path("totp/activate/", factors.add_app, name="mfa_activate_totp"),
    path("totp/deactivate/", factors.remove_app, name="mfa_deactivate_totp"),
    path("recovery-codes/", factors.codes, name="mfa_view_recovery_codes"),
    path("recovery-codes/generate/", factors.new_codes, name="mfa_generate_recovery_codes"),
    path("recovery-codes/download/", factors.download_codes, name="mfa_download_recovery_codes"),
    path("webauthn/", RedirectView.as_view(pattern_name="mfa_index"), name="mfa_list_webauthn"),
    path("webauthn/add/", passkeys.add_passkey, name="mfa_add_webauthn"),
    path(
        "webauthn/reauthenticate/",
        passkeys.reauthenticate_by_passkey,
        name="mfa_reauthenticate_webauthn",
    ),
    path("webauthn/login/", passkeys.sign_in_by_passkey, name="mfa_login_webauthn"),
    path("webauthn/keys/<number:pk>/edit/", passkeys.name_passkey, name="mfa_edit_webauthn"),
    path("webauthn/keys/<number:pk>/remove/", factors.remove_passkey, name="mfa_remove_webauthn"),
]
