"""Ends the sessions of people who may not sign in any more, or have lost the rights of an admin,
auditor or lead.

What each person can do is compared with what it was when that was last looked at, not remembered
from the change: whatever took it away, the next sweep would end the same (docs/decisions/0008).
"""

from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from portal import audit, policy, sessions
from portal.audit import SYSTEM, Actor
from portal.models import Action, User

CLOSED = "closed"
"""What stands in ``rights_seen`` of somebody who may not sign in; otherwise it holds their rights
in words: ``admin``, ``auditor``, ``lead:`` and the team's slug."""


class _Change(NamedTuple):
    """That somebody can do something else (``now``) than was seen (``seen``)."""

    person_id: int
    email: str
    seen: str
    now: str

    @property
    def lost(self) -> str:
        """What they can't do any more, for people; empty if they have lost nothing."""
        if self.now == CLOSED:
            return "may not sign in any more"
        gone = sorted(set(self.seen.split()) - set(self.now.split()) - {CLOSED})
        return f"no longer {', '.join(gone).replace('lead:', 'lead of ')}" if gone else ""


def end_sessions(*, actor: Actor = SYSTEM, people: Collection[int] | None = None) -> None:
    """End them, each person's in a short transaction, and note what everybody can do now.

    ``people`` are the ids of those whom it is about; None asks for everybody.

    The epoch makes it final: a session of the older one is no session, whatever becomes of its row
    and of the person's rights later.
    """
    changes = _changes(people)
    losing = {change.person_id for change in changes if change.lost}
    open_sessions = sessions.of_people(losing) if losing else {}
    for change in changes:
        row = User.objects.filter(pk=change.person_id, rights_seen=change.seen)
        if not change.lost:
            row.update(rights_seen=change.now)
            continue
        with transaction.atomic():
            if not row.update(rights_seen=change.now, session_epoch=F("session_epoch") + 1):
                continue  # another sweep does it
            if ended := sessions.delete(open_sessions[change.person_id]):
                subject = f"{change.email}: {change.lost}"
                audit.record(Action.SESSION_ENDED, actor=actor, subject=subject, count=ended)


def _changes(people: Collection[int] | None) -> list[_Change]:
    leads = policy.leading()
    if people is not None:
        leads = leads.filter(user__in=people)
    led: dict[int, list[str]] = defaultdict(list)
    for user_id, slug in leads.values_list("user", "team__slug"):
        led[user_id].append(f"lead:{slug}")
    some = Q(is_admin=True) | Q(is_auditor=True) | ~Q(rights_seen="")
    concerned = (Q(is_active=True) & (some | Exists(leads.filter(user=OuterRef("pk"))))) | (
        Q(is_active=False) & ~Q(rights_seen=CLOSED)
    )
    rows = User.objects.filter(concerned)
    if people is not None:
        rows = rows.filter(pk__in=people)
    found = []
    for pk, email, is_active, is_admin, is_auditor, seen in rows.values_list(
        "pk", "email", "is_active", "is_admin", "is_auditor", "rights_seen"
    ):
        held = [*(["admin"] if is_admin else []), *(["auditor"] if is_auditor else [])]
        now = " ".join([*held, *sorted(led.get(pk, []))]) if is_active else CLOSED
        if now != seen:
            found.append(_Change(pk, email, seen, now))
    return found
