"""What outboxes share: a row waits until it is due, and one worker at a time takes it."""

from datetime import timedelta
from typing import Self, TypeVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

M = TypeVar("M", bound=models.Model)

LEASE = timedelta(seconds=60)
"""How long a worker holds a mail that it is sending: longer than a task may run (30 s)."""


class OutboxQuerySet(models.QuerySet[M]):
    def due(self) -> Self:
        """Not told to wait, by the database's clock."""
        return self.filter(Q(not_before=None) | Q(not_before__lte=Now()))

    def claim(self, pk: int) -> bool:
        """Take a mail for sending; False when another worker has it, or nobody is to send it."""
        due = self.due().filter(pk=pk)
        return due.update(not_before=Now() + LEASE, tries=F("tries") + 1) == 1

    def give_up(self) -> int:
        """Have them tried no more; returns how many there were."""
        return self.delete()[0]


class KeptMailQuerySet(OutboxQuerySet[M]):
    def due(self) -> Self:
        """Neither sent nor given up, and not told to wait, by the database's clock."""
        return super().due().filter(sent_at=None, dropped_at=None)

    def give_up(self) -> int:
        return self.update(dropped_at=Now())


class OutgoingMail(models.Model):
    """A mail in its outbox; mails lie in the order in which they were written."""

    created_at = models.DateTimeField(db_default=Now(), editable=False)
    not_before = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True
        ordering = ["pk"]


class KeptMail(OutgoingMail):
    """A mail whose row stays once it has gone: it is written once, and never again."""

    sent_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField("when it was given up, or had become untrue", null=True)

    class Meta(OutgoingMail.Meta):
        abstract = True
