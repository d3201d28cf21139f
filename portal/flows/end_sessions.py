"""Ends the sessions of people who may not sign in any more, or have lost the rights of an admin,
auditor or lead.

What each person can do is compared with what it was when that was last looked at, not remembered
from the change: whatever took it away, the next sweep would end the same (docs/decisions/0008).
"""

from collections import defaultdict

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from portal import audit, sessions
from portal.audit import SYSTEM, Actor
from portal.models import Action, Membership, Role, User

CLOSED = "closed"
"""What stands in ``rights_seen`` of somebody who may not sign in; otherwise it holds their rights
in words: ``admin``, ``auditor``, ``lead:`` and the team's slug."""


def end_sessions(*, actor: Actor = SYSTEM) -> None:
    """End them, each person's in a short transaction, and note what everybody can do now.

    The epoch makes it final: a session of the older one is no session, whatever becomes of its row
    and of the person's rights later.
    """
    changed = _changed()
    losing = {person.pk for person, now in changed if _lost(person.rights_seen, now)}
    open_sessions = sessions.of_people(losing) if losing else {}
    for person, now in changed:
        lost = _lost(person.rights_seen, now)
        row = User.objects.filter(pk=person.pk, rights_seen=person.rights_seen)
        if not lost:
            row.update(rights_seen=now)
            continue
        with transaction.atomic():
            if not row.update(rights_seen=now, session_epoch=F("session_epoch") + 1):
                continue  # another sweep does it
            if ended := sessions.delete(open_sessions[person.pk]):
                subject = f"{person.email}: {lost}"
                audit.record(Action.SESSION_ENDED, actor=actor, subject=subject, count=ended)


def _changed() -> list[tuple[User, str]]:
    """Whoever can do something else than was seen, with what that is."""
    leads = Membership.objects.filter(role=Role.LEAD, team__closed_at=None)
    led: dict[int, list[str]] = defaultdict(list)
    for user_id, slug in leads.values_list("user", "team__slug"):
        led[user_id].append(f"lead:{slug}")
    some = Q(is_admin=True) | Q(is_auditor=True) | ~Q(rights_seen="")
    concerned = (Q(is_active=True) & (some | Exists(leads.filter(user=OuterRef("pk"))))) | (
        Q(is_active=False) & ~Q(rights_seen=CLOSED)
    )
    found = []
    for person in User.objects.filter(concerned).only(
        "email", "is_active", "is_admin", "is_auditor", "rights_seen"
    ):
        now = _rights(person, led.get(person.pk, []))
        if now != person.rights_seen:
            found.append((person, now))
    return found


def _rights(person: User, led: list[str]) -> str:
    if not person.is_active:
        return CLOSED
    held = [name for name in ("admin", "auditor") if getattr(person, f"is_{name}")]
    return " ".join([*held, *sorted(led)])


def _lost(before: str, now: str) -> str:
    """What somebody can't do any more, for people; empty if they have lost nothing."""
    if now == CLOSED:
        return "may not sign in any more"
    gone = sorted(set(before.split()) - set(now.split()) - {CLOSED})
    return f"no longer {', '.join(gone).replace('lead:', 'lead of ')}" if gone else ""
