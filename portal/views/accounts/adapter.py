"""How django-allauth fits in: nobody signs up, and every sign-in leaves an event."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from portal import factors, requester
from portal.audit import Actor
from portal.flows.change_password import change_password
from portal.flows.sign_in import sign_in_failed, signed_in
from portal.models import User
from portal.tasks import follow_up
from portal.views.accounts import (
    activity,
    known_browsers,
    provider_session,
    wanted_factor,
    ways,
)
from portal.views.accounts.guessing import guess

_BEGUN = "sign_in_begun"
"""In a session between password and second factor: the hash that sessions of the person had then
(User.get_session_auth_hash). Another password, a reset or an admin's act changes it."""
_WAYS = {
    "mfa_reauthenticate": "Use a code instead",
    "mfa_reauthenticate:webauthn": "Use a passkey instead",
}


class AccountAdapter(DefaultAccountAdapter):
    """allauth's hooks, in our words."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The address or the password is wrong. Check both, or choose "
        "a new password by the link below.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 (allauth's signature)
        """People come from the access file."""
        return False

    def is_safe_url(self, url: str) -> bool:
        """Whether a way back stays here: an address without a host, or one of the portal's origin.

        allauth takes every allowed host, and http on an https origin.
        """
        url = url.removeprefix(settings.PORTAL_ORIGIN) if _is_of_origin(url) else url
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Never refuses: whoever comes by a Unix socket has no address."""
        return requester.address(request) or ""

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """allauth refuses the real person here after a stranger's tries; see ``authenticate``."""

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        with guess(request, str(credentials.get("email") or "")) as tried:
            user: User | None = super().authenticate(request, **credentials)
            tried.right = user is not None
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        sign_in_failed(
            str(credentials.get("email") or credentials.get("username") or ""),
            address=requester.address(request),
            user_agent=requester.user_agent(request),
        )
        super().authentication_failed(request, **credentials)

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Who still owes a second factor may come back with it in a quarter of an hour."""
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        request.session[_BEGUN] = user.get_session_auth_hash()
        return response

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        good = {user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()}
        if request.session.pop(_BEGUN, "") not in good:
            logout(request)
            messages.error(request, "Your way to sign in was changed meanwhile: sign in again.")
            return redirect("account_login")
        told = kwargs.get("signal_kwargs") or {}
        signed_in(
            actor=_acting(request, user),
            by=ways.in_words(request, user),
            how=str(told.get("how", "")),
        )
        activity.begin(request, user)
        provider_session.keep(request, user)
        wanted_factor.note(request, user)
        known_browsers.remember(request, user)
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Who has a second factor is asked for it, not for the password that they began with."""
        found: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if not isinstance(user, User) or not factors.has_second_factor(user):
            return found
        return [one | {"description": _WAYS[one["id"]]} for one in found if one["id"] in _WAYS]

    def set_password(self, user: User, password: str) -> None:
        """By the link of a mail or with the old one: who can do that is the person themself."""
        request: HttpRequest = self.request
        here = request.session.session_key if request.user.is_authenticated else None
        effects = change_password(user, password, actor=_acting(request, user), session=here)
        follow_up(effects)
        wanted_factor.is_added(request, user)
        known_browsers.remember(request, user)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        super().send_mail(template_prefix, email, {**context, "origin": settings.PORTAL_ORIGIN})


def _acting(request: HttpRequest, user: User) -> Actor:
    return Actor(
        user=user, address=requester.address(request), user_agent=requester.user_agent(request)
    )


def _is_of_origin(url: str) -> bool:
    return url == settings.PORTAL_ORIGIN or url.startswith(f"{settings.PORTAL_ORIGIN}/")
