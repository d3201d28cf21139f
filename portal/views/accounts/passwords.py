"""The forms about one's password. Mails go out by an outbox, never from here."""

import logging
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm as ChangePassword
from allauth.account.forms import ResetPasswordForm as ResetPassword
from django.http import HttpRequest

from portal import limits, requester
from portal.flows.ask_for_password import ask_for_password
from portal.forms.sign_in import AddressField
from portal.limits import table
from portal.tasks import follow_up
from portal.views.accounts.guessing import guess
from portal.views.accounts.known_browsers import known_browser

log = logging.getLogger(__name__)


class ResetPasswordForm(ResetPassword):
    """Asks for a link by mail; whether somebody has the address shows neither in page nor time."""

    email = AddressField()

    def save(self, request: HttpRequest, **_: Any) -> str:
        email: str = self.cleaned_data["email"]
        person = next(iter(self.users), None)
        address = requester.address(request)
        limits.take(table.RESETS, email, person=person)
        knows = person is not None and person.pk in known_browser(request).people
        if address and not knows:
            limits.take(table.RESETS_FROM, limits.network(address), address=address)
        user_agent = requester.user_agent(request)
        follow_up(ask_for_password(person, address=address, user_agent=user_agent))
        # The event of one that goes out is the worker's; a typed address may be a password.
        log.info("reset.requested", extra={"person": person.pk if person else None})
        return email


class ChangePasswordForm(ChangePassword):
    """allauth's; the old password is guessed here as seldom as at the sign-in."""

    def clean_oldpassword(self) -> str:
        adapter = get_adapter()
        password: str = self.cleaned_data.get("oldpassword", "")
        with guess(adapter.request, self.user.email) as tried:
            tried.right = self.user.check_password(password)
        if not tried.right:
            raise adapter.validation_error("enter_current_password")
        return password
