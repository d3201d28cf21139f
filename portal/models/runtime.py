"""What running processes say of themselves."""

from datetime import timedelta
from typing import ClassVar

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


class Clock(models.Model):
    """How far one of our clocks is ahead of AWS's, as last seen; times by the database's clock.

    ``whose`` is a host's name, or DATABASE for the clock by which everything that the rows wait for
    comes and goes. One that is off stands here as off until AWS says otherwise.
    """

    DATABASE: ClassVar[str] = "the database"

    whose = models.CharField(max_length=80, primary_key=True)
    ahead = models.FloatField("seconds that it is ahead of AWS's; negative where it is behind")
    at = models.DateTimeField()
    off_since = models.DateTimeField(null=True)
    # Rows that were stamped while it was behind seem older than they are.
    rests_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.whose}: {self.ahead:+.0f} s"


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
