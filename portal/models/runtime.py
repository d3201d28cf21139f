"""What running processes say of themselves."""

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now


class Heartbeat(models.Model):
    """That a process of a kind was alive at a time by the database's clock.

    Celery's remote control is off, so a worker shows in this row that it lives.
    """

    kind = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} at {self.at}"

    @classmethod
    def beat(cls, kind: str, *, unless_within: timedelta | None = None) -> None:
        """Say that a process of this kind lives, unless that was said so short a time ago."""
        if unless_within is not None and (
            cls.objects.filter(kind=kind, at__gt=Now() - unless_within).exists()
        ):
            return
        cls.objects.update_or_create(kind=kind, defaults={"at": Now()})


class FailedSignIns(models.Model):
    """Attempts to sign in that failed since one was recorded: they become one event, with a count.

    ``who`` is a person's e-mail address, or empty where what was typed names nobody. Those of
    single sign-on are told apart by their ``code``, which then stands before the address too.
    """

    who = models.CharField(max_length=254, blank=True)
    address = models.CharField(max_length=45, blank=True)
    since = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)
    code = models.CharField(max_length=80, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["who", "address"], name="failed_sign_ins_once")
        ]

    def __str__(self) -> str:
        return f"{self.count} as {self.who or 'unknown'} from {self.address or 'somewhere'}"
