"""Signing out: here, and at the provider that somebody came by."""

from typing import Any

from allauth.account.views import LogoutView
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from portal.flows.end_provider_sessions import take_provider_session
from portal.identity.sign_out import address_to_end_session
from portal.models import ProviderSession
from portal.openid_settings import OpenID
from portal.views.accounts.arrival import send_on

CLEARED = '"cache"'
"""Cookies stay: by one of them a browser is known again, and a stranger's guesses don't keep its
person out. Keys and drafts are the page's script's to clear (static/js/keys.js)."""


class SignOutView(LogoutView):
    """allauth's, which goes on to the provider's own sign-out where there is one."""

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        request: HttpRequest = self.request
        key = request.session.session_key if request.user.is_authenticated else None
        there = take_provider_session(key) if key else None
        response: HttpResponse = super().post(*args, **kwargs)
        provider = settings.OPENID
        if there is not None and there.end_session_url and provider is not None:
            response = send_on(request, _address(there, provider), to=provider.name)
        response.headers["Clear-Site-Data"] = CLEARED
        return response


def _address(there: ProviderSession, provider: OpenID) -> str:
    return address_to_end_session(
        there.end_session_url,
        provider,
        id_token=there.id_token,
        after=f"{settings.PORTAL_ORIGIN}{reverse('account_login')}",
    )


sign_out = SignOutView.as_view()
