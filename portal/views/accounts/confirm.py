"""The page that asks a signed-in person to prove again that it is they."""

from typing import Any

from allauth.account.views import ReauthenticateView
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from portal import requester
from portal.identity import SignInError
from portal.limits import LimitExceededError
from portal.views import limiting
from portal.views.accounts.arrival import failed, has_come_by_it, has_come_by_saml
from portal.views.accounts.confirming import Confirming
from portal.views.accounts.openid import to_provider


def confirm(request: HttpRequest) -> HttpResponseBase:
    """Whoever came by single sign-on is sent on to the provider, everybody else asked here."""
    provider = settings.OPENID
    person = requester.person(request)
    has_password = settings.PASSWORD_SIGN_IN and person.has_usable_password()
    by_saml = settings.SAML is not None and (provider is None or has_come_by_saml(request))
    if (by_saml or provider is not None) and (has_come_by_it(request) or not has_password):
        way = request.POST.get("next") or request.GET.get("next") or ""
        if by_saml or provider is None:
            return redirect(reverse("saml-confirm", query={"next": way}))
        try:
            return to_provider(request, provider, way, confirms=True)
        except SignInError as error:
            return failed(request, error)
    return by_password(request) if has_password else _no_way(request)


class ConfirmByPassword(Confirming, ReauthenticateView):
    """allauth's, which keeps the page when a limit is met."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().post(request, *args, **kwargs)
        except LimitExceededError as exceeded:
            self.get_form().add_error(None, str(exceeded))
            return limiting.answer(request, exceeded, page=self._page)
        return response

    def _page(self) -> HttpResponse:
        page: HttpResponse = self.form_invalid(self.get_form())
        return page


by_password = ConfirmByPassword.as_view()


def _no_way(request: HttpRequest) -> HttpResponse:
    page = {
        "title": "We could not confirm that it is you",
        "message": "You have neither a password here nor single sign-on. Sign out, and sign in "
        "again; or ask an admin of this portal.",
    }
    return render(request, "error.html", page, status=403)
