"""Whose sessions there are, from where, and since when."""

from django.db import models
from django.db.models.functions import Now

from portal.models.people import User


class UserSession(models.Model):
    """What a person is shown of one of their sessions, and ends it by.

    ``session_key`` names the row of Django's own. It is no foreign key, because processes of an
    older version delete such rows too: what has lost its session is no session, and is cleared away
    with the old ones.
    """

    session_key = models.CharField(max_length=40, unique=True)
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    began_at = models.DateTimeField(db_default=Now(), editable=False)
    seen_at = models.DateTimeField("when the person last did something", db_default=Now())
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-seen_at", "-pk"]

    def __str__(self) -> str:
        return f"a session of {self.person_id}"
