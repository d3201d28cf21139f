"""Sessions here that came from a session at the provider end with it."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from portal import audit, sessions
from portal.audit import Actor
from portal.models import Action, ProviderSession

FORGET_AFTER = timedelta(days=1)
BATCH_SIZE = 500
LONGEST = 255


def keep_provider_session(
    session_key: str,
    *,
    person: int,
    provider: str,
    subject: str,
    sid: str,
    id_token: str,
    end_session_url: str,
) -> None:
    """Note what a sign-out will want, of whichever side."""
    ProviderSession.objects.update_or_create(
        session_key=session_key,
        defaults={
            "user_id": person,
            "provider": provider[:LONGEST],
            "subject": subject[:LONGEST],
            "sid": sid[:LONGEST],
            "id_token": id_token,
            "end_session_url": end_session_url,
        },
    )


def take_provider_session(session_key: str) -> ProviderSession | None:
    """What was noted of a session that is about to end; it is forgotten."""
    row = ProviderSession.objects.filter(session_key=session_key).first()
    if row is not None:
        ProviderSession.objects.filter(pk=row.pk).delete()
    return row


def end_provider_sessions(provider: str, *, subject: str, sid: str, actor: Actor) -> int:
    """End the sessions that came from this one of the provider's, or from any of this subject's.

    Returns how many have ended. The event names the person.
    """
    rows = ProviderSession.objects.filter(provider=provider[:LONGEST]).select_related("user")
    if subject:
        rows = rows.filter(subject=subject[:LONGEST])
    if sid:
        rows = rows.filter(sid=sid[:LONGEST])
    ended = 0
    of_people: dict[int, list[ProviderSession]] = {}
    for row in rows.order_by("user_id", "pk"):
        of_people.setdefault(row.user_id, []).append(row)
    for theirs in of_people.values():
        with transaction.atomic():
            ProviderSession.objects.filter(pk__in=[row.pk for row in theirs]).delete()
            if count := sessions.delete([row.session_key for row in theirs]):
                subject_of = f"{theirs[0].user.email}: signed out at the provider"
                audit.record(Action.SESSION_ENDED, actor=actor, subject=subject_of, count=count)
                ended += count
    return ended


def forget_provider_sessions() -> None:
    """Forget what was noted of sessions that are gone; the scheduler calls this."""
    there = Session.objects.filter(pk=OuterRef("session_key"), expire_date__gt=Now())
    old = ProviderSession.objects.filter(created_at__lt=Now() - FORGET_AFTER)
    gone = old.exclude(Exists(there)).values_list("pk", flat=True)[:BATCH_SIZE]
    ProviderSession.objects.filter(pk__in=list(gone)).delete()
