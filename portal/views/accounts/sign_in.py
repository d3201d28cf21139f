"""The sign-in's page."""

from typing import Any

from allauth.account.views import LoginView
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from portal.limits import LimitExceededError
from portal.views import limiting
from portal.views.accounts.factor_adapter import relying_party

WAYS_IN = (
    "A browser that you have signed in with before lets you in at once, and so does one in which "
    "you set a new password by the link below."
)


class SignInView(LoginView):
    """allauth's, which keeps the page and the address that was typed when a limit is met."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.PASSWORD_SIGN_IN:
            raise PermissionDenied(
                "Nobody signs in by password here: use single sign-on, on the sign-in page."
            )
        try:
            response: HttpResponse = super().post(request, *args, **kwargs)
        except LimitExceededError as exceeded:
            self.get_form().add_error(None, f"{exceeded} {WAYS_IN}")
            return limiting.answer(request, exceeded, page=self._page)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        provider = settings.OPENID
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {
            "by_password": settings.PASSWORD_SIGN_IN,
            "passkey_host": relying_party(),
            "single_sign_on": provider.name if provider else "",
            "by_saml": settings.SAML is not None,
        }

    def _page(self) -> HttpResponse:
        page: HttpResponse = self.form_invalid(self.get_form())
        return page


sign_in = SignInView.as_view()
