"""How django-allauth fits in: nobody signs up, and every sign-in leaves an event."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest, HttpResponse

from portal.audit import Actor
from portal.flows.sign_in import sign_in_failed, signed_in
from portal.models import User
from portal.views import edge


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

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        sign_in_failed(
            str(credentials.get("email") or credentials.get("username") or ""),
            address=edge.address(request),
            user_agent=edge.user_agent(request),
        )
        super().authentication_failed(request, **credentials)
