"""AMG's own lists of tokens, as they were last read, and where they differ from ours."""

from typing import Any, Self

from django.db import models
from django.db.models import Count, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from portal.models.catalog import ServiceAccount
from portal.models.outbox import OutboxQuerySet
from portal.models.queries import SURELY_OVER
from portal.text import isolated


class Drift(models.TextChoices):
    """How AMG's list differs from ours."""

    FOREIGN = "foreign", "not issued here"
    VANISHED = "vanished", "gone from AMG"
    ENDED = "ended", "ended here, alive at AMG"


class ListedTokenQuerySet(OutboxQuerySet["ListedToken"]):
    def to_end(self) -> Self:
        """Those that nobody here issued, and that somebody has asked to have deleted at AWS."""
        return self.filter(end_asked_at__isnull=False, drift=Drift.FOREIGN)

    def to_prune(self) -> Self:
        """Expired ones that nobody here issued, where an admin's standing permission is given.

        By our clock; whoever deletes one asks AWS's first.
        """
        return self.filter(
            drift=Drift.FOREIGN,
            end_asked_at=None,
            expires_at__lt=Now() - SURELY_OVER,
            service_account__workspace__foreign_pruned_since__isnull=False,
        )

    def count_foreign(self) -> QuerySet[Any, Any]:
        """Of each workspace (``service_account__workspace``) the ``number`` of tokens that nobody
        here issued."""
        foreign = self.filter(drift=Drift.FOREIGN).order_by()
        return foreign.values("service_account__workspace").annotate(number=Count("*"))


class ListedToken(models.Model):
    """A token that AMG listed for a service account, or that it should have and did not.

    Which of our tokens it is, its id at AWS says. ``drift`` is empty where both lists agree; a
    vanished token stands here for as long as we take it for live. One that is to be deleted waits
    here like a mail in an outbox: a foreign token has no other row.
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

    # Somebody has asked for its end; a worker deletes it at AWS.
    end_asked_at = models.DateTimeField(null=True)
    end_asked_by = models.CharField(max_length=254, blank=True, db_default="")
    end_reason = models.CharField(max_length=500, blank=True, db_default="")
    end_error = models.CharField("what AWS last said", max_length=80, blank=True, db_default="")
    not_before = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(db_default=0)

    objects = ListedTokenQuerySet.as_manager()

    class Meta:
        ordering = ["service_account", "name", "pk"]
        indexes = [
            models.Index(fields=["drift", "-found_at"], name="listed_by_drift"),
            models.Index(fields=["service_account", "name"], name="listed_by_name"),
            models.Index(
                fields=["-found_at", "-id"],
                name="listed_by_found",
                condition=models.Q(found_at__isnull=False),
            ),
            models.Index(
                fields=["end_asked_at"],
                name="listed_to_end",
                condition=models.Q(end_asked_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["service_account", "aws_id"], name="listed_token_once")
        ]

    def __str__(self) -> str:
        return isolated(self.name)

    @property
    def is_in_the_way(self) -> bool:
        """Whether it has expired, and still counts against the quota of its workspace."""
        return (
            self.drift == Drift.FOREIGN
            and self.expires_at is not None
            and self.expires_at <= timezone.now()
        )
