"""Sessions as Django keeps them in the database, found by a question that is compiled once.

A session ends PORTAL_SESSION_HOURS after its sign-in, and before that when its person has done
nothing for PORTAL_SESSION_IDLE_HOURS. Both stand in the one moment that Django keeps of a session
anyway, ``expire_date``: what the person does moves it, what a page asks by itself does not.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from portal.models import ProviderSession, User, UserSession
from portal.models.prepared import Prepared

BEGAN = "began"
"""In a session: when its person signed in, in seconds since 1970."""
GRAIN = 60.0
"""Seconds: what a person does more often is written this often."""

_BY_KEY = Prepared(lambda key: Session.objects.filter(pk=key), like=["-"])


class SessionStore(db.SessionStore):
    """Every request of a signed-in person loads one."""

    ends_at: datetime | None = None
    """When it ends unless its person does something; None before it was loaded or saved."""

    def _get_session_from_db(self) -> Session | None:
        session = _BY_KEY.one(self.session_key)
        if session is not None and session.expire_date > timezone.now():
            self.ends_at = session.expire_date
            return session
        self._session_key = None
        return None

    def get_expiry_date(self, **_: object) -> datetime:
        """When it ends if nothing is done from now on: as ``set_expiry`` says, or everybody's."""
        seconds = self.get("_session_expiry") or settings.SIGN_IN.session_idle_seconds
        idle = timezone.now() + timedelta(seconds=seconds)
        limit = self.limit
        return min(idle, limit) if limit else idle

    def get_expiry_age(self, **_: object) -> int:
        return max(0, round((self.get_expiry_date() - timezone.now()).total_seconds()))

    @property
    def limit(self) -> datetime | None:
        """When it ends whatever its person does; None as long as nobody has signed in."""
        began = self.get(BEGAN)
        if not isinstance(began, int | float):
            return None
        return datetime.fromtimestamp(began, UTC) + timedelta(
            seconds=settings.SIGN_IN.session_seconds
        )

    def begin(self) -> None:
        """Somebody has just signed in."""
        self[BEGAN] = int(timezone.now().timestamp())

    def is_news(self) -> bool:
        """Whether what the person does now would move the end by so much that it is written."""
        if BEGAN not in self or self.ends_at is None:
            return True
        moved = abs((self.get_expiry_date() - self.ends_at).total_seconds())
        return moved > min(GRAIN, settings.SIGN_IN.session_idle_seconds / 10)

    def go_on(self) -> None:
        """The person has done something. Limits of sessions of older versions count from here."""
        changed = self.modified
        values: dict[str, object] = {}
        if BEGAN not in self:
            self.begin()
            values["session_data"] = self.encode(dict(self.items()))
        self.ends_at = values["expire_date"] = self.get_expiry_date()
        Session.objects.filter(pk=self.session_key).update(**values)
        self.modified = changed

    def cycle_key(self) -> None:
        """What is kept of a session goes with it under its new key, before the old one goes."""
        data, before = dict(self.items()), self.session_key
        self.create()
        self._session_cache = data
        if before:
            for kept in (UserSession, ProviderSession):
                kept.objects.filter(session_key=before).update(session_key=self.session_key)
            self.delete(before)

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        super().delete(session_key)
        if key:
            UserSession.objects.filter(session_key=key).delete()


def note(
    session_key: str, person: User, *, address: str | None, user_agent: str, began: bool = False
) -> None:
    """Keep from where a session was used last, to be shown to its person."""
    kept = {
        "address": address if settings.AUDIT_ADDRESSES else None,
        "user_agent": _clean(user_agent) if settings.AUDIT_ADDRESSES else "",
        "seen_at": timezone.now(),
    }
    rows = UserSession.objects.filter(session_key=session_key)
    if began or not rows.update(**kept):
        again = kept | {"person": person, "began_at": timezone.now()}
        UserSession.objects.update_or_create(session_key=session_key, defaults=again)


def _clean(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:300]


def shown_to(person: User) -> QuerySet[UserSession]:
    """The person's sessions that are not over, the last used first."""
    return UserSession.objects.filter(_lives(), person=person)


def forget_over() -> None:
    """Delete what is shown of sessions that are over."""
    UserSession.objects.exclude(_lives()).delete()


def _lives() -> Exists:
    return Exists(Session.objects.filter(pk=OuterRef("session_key"), expire_date__gt=Now()))


def of_people(people: Collection[int]) -> dict[int, list[str]]:
    """The keys of each person's sessions that have not run out.

    A session says in its own text alone whose it is, so all of them are read: 0.1 s for 3,000
    (measured). It is asked for when somebody loses something, not by a page.
    """
    wanted = {str(person): person for person in people}
    found: dict[int, list[str]] = {person: [] for person in people}
    store = SessionStore()
    rows = Session.objects.filter(expire_date__gt=timezone.now()).order_by()
    for key, text in rows.values_list("session_key", "session_data"):
        person = wanted.get(str(store.decode(text).get(SESSION_KEY)))
        if person is not None:
            found[person].append(key)
    return found


def delete(keys: Collection[str]) -> int:
    """End these sessions; returns how many were still there."""
    UserSession.objects.filter(session_key__in=keys).delete()
    return Session.objects.filter(pk__in=keys).delete()[0]


def end(person: User, keys: Collection[str]) -> int:
    """End them for good; returns how many were still there.

    The epoch has the last word (User.get_session_auth_hash): a session that goes on must be given
    the new one. Call it in a transaction.
    """
    User.objects.filter(pk=person.pk).update(session_epoch=F("session_epoch") + 1)
    person.refresh_from_db(fields=["session_epoch"])
    return delete(keys)
