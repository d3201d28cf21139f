"""Mails to leads that are about no single token: an outbox of its own.

What they say is read when they are sent: only who is told of what stands here.
"""

from django.db import models
from django.db.models import Q

from portal.models.catalog import Workspace
from portal.models.outbox import KeptMail, KeptMailQuerySet
from portal.models.people import User


class LeadMailKind(models.TextChoices):
    """What a mail tells; each has its text in templates/mail."""

    NEARLY_FULL = "nearly_full"
    DIGEST = "digest"


class LeadMail(KeptMail):
    """A mail to a lead. ``about`` tells two of a kind apart: the week of a digest, or when a
    workspace was found nearly full."""

    kind = models.CharField(max_length=12, choices=LeadMailKind)
    recipient = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    workspace = models.ForeignKey(Workspace, null=True, on_delete=models.CASCADE, related_name="+")
    about = models.CharField(max_length=40)

    objects = KeptMailQuerySet["LeadMail"].as_manager()

    class Meta(KeptMail.Meta):
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
