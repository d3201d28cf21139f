"""Somebody leaves the company, or comes back: one flow, whichever door the news came in by.

Who leaves is signed out everywhere for good; open requests are cancelled, sealed keys wiped and
revoked; live tokens stand on their leads' desks, or end where a team's ``on_leaving`` says so. What
a crash leaves undone the next sweep does: portal.flows.end_sessions and end_access ask for the same.
"""

from django.db import transaction

from portal import audit
from portal.audit import Actor
from portal.flows.end_access import end_access
from portal.flows.end_sessions import end_sessions
from portal.life import Effects
from portal.models import Action, User


def leave(person_id: int, *, actor: Actor, reason: str = "") -> Effects:
    """Close a person's account and end what they have. Told again, it ends what is still there.

    ``reason`` is for the audit log. Returns what is left to do once this is committed.
    """
    _open_or_close(person_id, is_active=False, actor=actor, reason=reason)
    end_sessions(actor=actor, people=[person_id])
    return end_access(actor=actor, people=[person_id])


def come_back(person_id: int, *, actor: Actor, reason: str = "") -> None:
    """Open a person's account again. What has ended stays ended: sessions, requests and keys."""
    # Before they may sign in again: a session of before must not outlive a crash in between.
    end_sessions(actor=actor, people=[person_id])
    _open_or_close(person_id, is_active=True, actor=actor, reason=reason)


def _open_or_close(person_id: int, *, is_active: bool, actor: Actor, reason: str) -> None:
    with transaction.atomic():
        row = User.objects.filter(pk=person_id, is_active=not is_active)
        email = row.values_list("email", flat=True).first()
        if email is None or not row.update(is_active=is_active):
            return
        may = "may sign in again" if is_active else "may not sign in any more"
        subject = f"~ person {email}: {may}"
        audit.record(Action.ACCESS_CHANGED, actor=actor, subject=subject, reason=reason)
