"""Somebody leaves the company: one flow, whichever door the news came in by.

Who leaves is signed out everywhere for good; open requests are cancelled, sealed keys wiped and
revoked; live tokens stand on their leads' desks, or end where a team's ``on_leaving`` says so. What
a crash leaves undone the next sweep does: it asks for the same (flows.end_sessions, end_access).
"""

from django.db import transaction

from portal import audit
from portal.access import words
from portal.audit import Actor
from portal.flows.end_access import end_access
from portal.flows.end_sessions import end_sessions
from portal.life import Effects
from portal.models import Action, User


def leave(person_id: int, *, actor: Actor, reason: str = "") -> Effects:
    """Close a person's account and end what they have. Told again, it ends what is still there.

    ``reason`` is for the audit log. Returns what is left to do once this is committed.
    """
    with transaction.atomic():
        row = User.objects.filter(pk=person_id, is_active=True)
        email = row.values_list("email", flat=True).first()
        if email is not None and row.update(is_active=False):
            changes = [words.account(email, is_active=False)]
            audit.record_many(Action.ACCESS_CHANGED, changes, actor=actor, reason=reason)
    end_sessions(actor=actor, people=[person_id])
    return end_access(actor=actor, people=[person_id])
