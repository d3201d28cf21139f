"""AMG's own lists of tokens, as they were last read, and where they differ from ours."""

from django.db import models

from portal.models.catalog import ServiceAccount
from portal.text import isolated


class Drift(models.TextChoices):
    """How AMG's list differs from ours."""

    FOREIGN = "foreign", "not issued here"
    VANISHED = "vanished", "gone from AMG"
    ENDED = "ended", "ended here, alive at AMG"


class ListedToken(models.Model):
    """A token that AMG listed for a service account, or that it should have and did not.

    Which of our tokens it is, its id at AWS says. ``drift`` is empty where both lists agree; a
    vanished token stands here for as long as we take it for live.
    """

    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.CASCADE, related_name="listed_tokens"
    )
    aws_id = models.CharField("id", max_length=40)
    name = models.CharField(max_length=255)
    created_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    drift = models.CharField(max_length=8, choices=Drift, blank=True)
    found_at = models.DateTimeField("when the drift was found", null=True)

    class Meta:
        ordering = ["service_account", "name", "pk"]
        indexes = [
            models.Index(fields=["drift", "-found_at"], name="listed_by_drift"),
            models.Index(fields=["service_account", "name"], name="listed_by_name"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["service_account", "aws_id"], name="listed_token_once")
        ]

    def __str__(self) -> str:
        return isolated(self.name)
