"""Mails that no server took for as long as they were tried: for admins, who see no server's log."""

from django.db import models
from django.db.models.functions import Now


class LostMail(models.Model):
    """A mail that was given up. What it said stands where it always does: on a page, or in a log.

    ``about`` is a token's name or a week; ``error`` the kind of the last trouble, and nothing that
    a server has said, which may repeat the mail.
    """

    kind = models.CharField(max_length=24)
    recipient = models.CharField(max_length=254)
    about = models.CharField(max_length=128, blank=True)
    error = models.CharField(max_length=80)
    tries = models.PositiveIntegerField()
    written_at = models.DateTimeField()
    lost_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"
