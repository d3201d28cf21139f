"""Passwords that are tried: how often a stranger may, without keeping the real person out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.http import HttpRequest

from portal import limits, mailbox, requester, turns
from portal.limits.table import (
    WRONG_PASSWORDS,
    WRONG_PASSWORDS_AT_HOME,
    WRONG_PASSWORDS_FROM,
    Limit,
)
from portal.models import User
from portal.models.prepared import Prepared
from portal.views.accounts.known_browsers import known_browser

_BY_EMAIL = Prepared(lambda email: User.objects.filter(email=email), like=["-"])


class Guess:
    """One try; whoever checks the password says whether it was ``right``."""

    right = False


@contextmanager
def guess(request: HttpRequest, email: str) -> Iterator[Guess]:
    """Check a password for whoever has this address inside; raises LimitExceededError before.

    A try counts while it is looked into, so that many at once are not more than one after another,
    and is given back unless the password was refused: neither a right one nor an error counts. A
    refusal takes as long whether the person is known or not.
    """
    began = time.monotonic()
    email = mailbox.folded(email.strip())
    person = _BY_EMAIL.one(email)
    limit, subject = _limit(request, email, person)
    address = requester.address(request)
    network = limits.network(address) if address and limit is WRONG_PASSWORDS else ""
    limits.check(limit, subject, person=person)  # a flood is refused by one question
    if network:
        limits.check(WRONG_PASSWORDS_FROM, network, address=address)
    limits.take(limit, subject, person=person)
    one = Guess()
    refused = False
    try:
        yield one
        refused = not one.right
    finally:
        if not refused:
            limits.give_back(limit, subject)
    if not refused:
        return
    if network:
        limits.add(WRONG_PASSWORDS_FROM, network, address=address)
    left = settings.REFUSAL_SECONDS - (time.monotonic() - began)
    if left > 0:
        with turns.aside():
            time.sleep(left)


def _limit(request: HttpRequest, email: str, person: User | None) -> tuple[Limit, str]:
    """Which limit the try counts for, and whose use it is."""
    if person is not None and request.user.is_authenticated and request.user.pk == person.pk:
        return WRONG_PASSWORDS_AT_HOME, f"{person.pk} {request.session.session_key}"
    browser = known_browser(request)
    if person is not None and person.pk in browser.people:
        return WRONG_PASSWORDS_AT_HOME, f"{person.pk} {browser.name}"
    return WRONG_PASSWORDS, email
