"""How far people and addresses have used up the limits that portal.limits lists."""

from django.db import models
from django.db.models import Q

from portal.models.people import User


class LimitUse(models.Model):
    """One subject's use of one limit: a bucket that fills by one with each use and leaks.

    ``subject`` is what is limited, as a keyed hash: what was typed may be a password, and addresses
    are personal. ``person`` and ``address`` name it for the audit log, where it may be named.
    """

    limit = models.CharField(max_length=32)
    subject = models.CharField(max_length=64)
    level = models.FloatField("how full the bucket was at level_at", default=0)
    level_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True)

    # What was refused since the audit log was told.
    person = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    address = models.CharField(max_length=45, blank=True)
    refused = models.PositiveIntegerField(default=0)
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["limit", "subject"], name="limit_use_once"),
        ]
        indexes = [
            models.Index(fields=["level_at"], name="limit_use_by_age"),
            models.Index(
                fields=["told_at"], name="limit_use_told", condition=Q(told_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.limit} of {self.person_id or 'somebody'}: {self.level:.1f}"
