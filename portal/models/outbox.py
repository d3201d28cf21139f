"""What the outboxes of mails share: a row waits until it is due, and one worker at a time takes it.

Rows have ``not_before``, ``rung_at`` and ``tries``, and lie in the order in which they were made.
"""

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
