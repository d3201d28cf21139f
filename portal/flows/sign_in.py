"""Somebody signed in, or tried to."""

from django.db import transaction

from portal import audit
from portal.audit import Actor
from portal.models import Action, Outcome, User


def signed_in(*, actor: Actor) -> None:
    """Record a sign-in."""
    with transaction.atomic():
        audit.record(Action.SIGNIN_SUCCEEDED, actor=actor)


def sign_in_failed(typed: str, *, address: str | None, user_agent: str) -> None:
    """Record a failed attempt.

    What was typed is recorded only where it names a person: it may be a password in the wrong box.
    """
    user = User.objects.filter(email__iexact=typed).first()
    with transaction.atomic():
        audit.record(
            Action.SIGNIN_FAILED,
            actor=Actor(user=user, address=address, user_agent=user_agent, unknown=user is None),
            outcome=Outcome.FAILED,
        )
