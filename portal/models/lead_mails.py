"""Mails to leads that are about no single token: an outbox of its own.

What they say is read when they are sent: only who is told of what stands here.
"""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.models.catalog import Workspace
from portal.models.outbox import OutboxQuerySet
from portal.models.people import User


class LeadMailKind(models.TextChoices):
    """What a mail tells; each has its text in templates/mail."""

    NEARLY_FULL = "nearly_full"
    DIGEST = "digest"


class LeadMailQuerySet(OutboxQuerySet["LeadMail"]):
    def due(self) -> Self:
        """Neither sent nor given up, and not told to wait, by the database's clock."""
        return super().due().filter(sent_at=None, dropped_at=None)


class LeadMail(models.Model):
    """A mail to a lead. ``about`` tells two of a kind apart: the week of a digest, or when a
    workspace was found nearly full."""

    kind = models.CharField(max_length=12, choices=LeadMailKind)
    recipient = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    workspace = models.ForeignKey(Workspace, null=True, on_delete=models.CASCADE, related_name="+")
    about = models.CharField(max_length=40)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    not_before = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField("when it was given up, or had become untrue", null=True)

    objects = LeadMailQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(
                fields=["not_before"],
                name="lead_mail_to_send",
                condition=Q(sent_at=None, dropped_at=None),
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["recipient", "kind", "about"], name="lead_mail_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.about} to {self.recipient_id}"
