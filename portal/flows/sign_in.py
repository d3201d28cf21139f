"""Somebody signed in, or tried to."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from portal import audit
from portal.audit import Actor
from portal.models import Action, FailedSignIns, User

COUNTED_FOR = timedelta(minutes=5)
"""After a failure was recorded, those like it are counted for this long, and told as one event."""
BATCH_SIZE = 200
TOLD_ONE_BY_ONE = 20
"""Of single sign-on, whose answers go wrong for reasons that somebody has to look into."""


def signed_in(*, actor: Actor, by: str = "", how: str = "") -> None:
    """Record a sign-in, ``by`` what (a password, a passkey, both and a code), and ``how`` it went
    where the provider of single sign-on said something of its own."""
    with transaction.atomic():
        audit.record(Action.SIGNIN_SUCCEEDED, actor=actor, subject=by, reason=how)


def sign_in_failed(typed: str, *, address: str | None, user_agent: str, code: str = "") -> None:
    """Record a failed attempt: the first at once, further ones of the same kind by their number.

    Of the same kind are those that name the same person, or nobody, from the same address, and by
    single sign-on those with the same ``code``, of which the first TOLD_ONE_BY_ONE are events:
    nobody can fill the log by guessing. What was typed is recorded only where it names a person: it
    may be a password in the wrong box.
    """
    user = User.objects.by_address(typed) if typed else None
    code = code[:80]
    name = user.email if user else ""
    with transaction.atomic():
        row, is_first = FailedSignIns.objects.update_or_create(
            who=f"{code} {name}"[:254] if code else name,
            address=(address or "") if settings.AUDIT_ADDRESSES else "",
            defaults={"count": F("count") + 1},
            create_defaults={"since": Now(), "code": code},
        )
        if code and not is_first:
            row.refresh_from_db(fields=["count"])
        if is_first or (code and row.count < TOLD_ONE_BY_ONE):
            _record(user, address, user_agent=user_agent, code=code)


def record_counted_failures() -> None:
    """Record, as one event each, what was counted until now; the sweep calls this."""
    over = FailedSignIns.objects.filter(since__lt=Now() - COUNTED_FOR)
    for pk in over.values_list("pk", flat=True)[:BATCH_SIZE]:
        with transaction.atomic():
            row = over.select_for_update(skip_locked=True).filter(pk=pk).first()
            if row is None:
                continue
            row.delete()
            # The first of all is not among the counted.
            untold = row.count - (TOLD_ONE_BY_ONE - 1) if row.code else row.count
            if untold > 0:
                who = row.who.removeprefix(row.code).lstrip()
                user = User.objects.filter(email=who).first() if who else None
                _record(user, row.address or None, count=untold, code=row.code)


def _record(
    user: User | None,
    address: str | None,
    *,
    user_agent: str = "",
    count: int | None = None,
    code: str = "",
) -> None:
    audit.record(
        Action.SIGNIN_FAILED,
        actor=Actor(user=user, address=address, user_agent=user_agent, unknown=user is None),
        count=count,
        error_code=code,
    )
