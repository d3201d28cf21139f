"""Sessions as Django keeps them in the database, found by a question that is compiled once."""

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from portal.models.prepared import Prepared

_BY_KEY = Prepared(lambda key: Session.objects.filter(pk=key), like=["-"])


class SessionStore(db.SessionStore):
    """Every request of a signed-in person loads one."""

    def _get_session_from_db(self) -> Session | None:
        session = _BY_KEY.one(self.session_key)
        if session is not None and session.expire_date > timezone.now():
            return session
        self._session_key = None
        return None
