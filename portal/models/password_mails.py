"""Links that are to go out by mail, by which people set a password: an outbox of its own.

The link itself stands in no row: who reads the database could use it. It is made when it is sent.
"""

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from portal.models.people import User

LEASE = timedelta(seconds=60)
"""How long a worker holds a mail that it is sending: longer than a task may run (30 s)."""


class PasswordMailQuerySet(models.QuerySet["PasswordMail"]):
    def due(self) -> Self:
        """Not told to wait, by the database's clock."""
        return self.filter(Q(not_before=None) | Q(not_before__lte=Now()))

    def claim(self, mail_id: int) -> bool:
        """Take a mail for sending; False when another worker has it, or it has gone out."""
        due = self.due().filter(pk=mail_id)
        return due.update(not_before=Now() + LEASE, tries=F("tries") + 1) == 1


class PasswordMail(models.Model):
    """Somebody asked for a link to set a password. The row goes when the mail has gone.

    ``person`` is None where nobody has the address that was typed: the row is written all the same,
    so that the page takes as long, and nothing is sent.
    """

    person = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    not_before = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    # Of the browser that asked for it, where events keep that.
    address = models.CharField(max_length=45, blank=True, db_default="")
    user_agent = models.CharField(max_length=300, blank=True, db_default="")

    objects = PasswordMailQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"a link for {self.person_id or 'nobody'}"
