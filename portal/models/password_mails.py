"""Links that are to go out by mail, by which people set a password: an outbox of its own.

The link itself stands in no row: who reads the database could use it. It is made when it is sent.
"""

from django.db import models

from portal.models.outbox import OutboxQuerySet, OutgoingMail
from portal.models.people import User


class PasswordMail(OutgoingMail):
    """Somebody asked for a link to set a password. The row goes when the mail has gone.

    ``person`` is None where nobody has the address that was typed: the row is written all the same,
    so that the page takes as long, and nothing is sent.
    """

    person = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    # Of the browser that asked for it, where events keep that.
    address = models.CharField(max_length=45, blank=True, db_default="")
    user_agent = models.CharField(max_length=300, blank=True, db_default="")

    objects = OutboxQuerySet["PasswordMail"].as_manager()

    def __str__(self) -> str:
        return f"a link for {self.person_id or 'nobody'}"
