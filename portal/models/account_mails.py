"""Mails that tell a person what has happened to their account: an outbox of its own."""

from django.db import models

from portal.models.outbox import OutboxQuerySet, OutgoingMail
from portal.models.people import User


class AccountMailKind(models.TextChoices):
    """What a mail tells; each has its text in templates/mail."""

    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (the name of a mail)
    FACTOR_CHANGED = "factor_changed"
    FACTOR_RESET = "factor_reset"
    ADDRESS_CHANGED = "address_changed"


class AccountMail(OutgoingMail):
    """One such mail. The row goes when the mail has gone; the audit log tells the same for ever.

    ``email`` is the address that the person had then: of a change of address, the one before.
    ``by`` is who did it, where that was somebody else.
    """

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    email = models.CharField(max_length=254)
    kind = models.CharField(max_length=20, choices=AccountMailKind)
    what = models.CharField("what changed", max_length=200, blank=True)
    by = models.CharField(max_length=254, blank=True)
    address = models.CharField("network address that it was done from", max_length=45, blank=True)

    objects = OutboxQuerySet["AccountMail"].as_manager()

    def __str__(self) -> str:
        return f"{self.kind} to {self.person_id}"
