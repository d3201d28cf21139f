"""How django-allauth fits in: nobody signs up, and every sign-in leaves an event."""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portal.audit import Actor
from portal.flows.sign_in import sign_in_failed, signed_in
from portal.models import User
from portal.models.prepared import Prepared
from portal.views import edge

_BY_ID = Prepared(lambda pk: User.objects.filter(pk=pk), like=[-1])


class Backend(AuthenticationBackend):
    """allauth's, which finds a session's person without building that question every time."""

    def get_user(self, user_id: int) -> User | None:
        user = _BY_ID.one(user_id)
        return user if user is not None and self.user_can_authenticate(user) else None


class AccountAdapter(DefaultAccountAdapter):
    """allauth's hooks, in our words."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The address or the password is wrong. Check both, or choose "
        "a new password by the link below.",
        "too_many_login_attempts": "Too many tries for this address. Wait a few minutes, then try "
        "again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 (allauth's signature)
        """People come from the access file."""
        return False

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        signed_in(
            actor=Actor(
                user=user, address=edge.address(request), user_agent=edge.user_agent(request)
            )
        )
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response

    def get_reset_password_from_key_url(self, key: str) -> str:
        """The link of the mail, at the portal's own address.

        Not at the one that the request has named: a stranger asks for a mail to somebody else.
        """
        link = urlsplit(super().get_reset_password_from_key_url(key))
        return f"{settings.PORTAL_ORIGIN}{link.path}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        super().send_mail(template_prefix, email, {**context, "origin": settings.PORTAL_ORIGIN})

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        sign_in_failed(
            str(credentials.get("email") or credentials.get("username") or ""),
            address=edge.address(request),
            user_agent=edge.user_agent(request),
        )
        super().authentication_failed(request, **credentials)
