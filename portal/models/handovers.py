"""Tokens that are offered to another owner: a person is asked before they answer for a token."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal.models.people import User
from portal.models.tokens import Token


class HandoverAnswer(models.TextChoices):
    """What became of an offer; ``overtaken`` are those whose token ended or went to another."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    OVERTAKEN = "overtaken"


class HandoverQuerySet(models.QuerySet["Handover"]):
    def unanswered(self) -> Self:
        """Those that wait for their heir; one of a token at most."""
        return self.filter(answered_at=None)


class Handover(models.Model):
    """An offer of a token to ``heir``; it is written and answered under the lock of its token.

    ``renews`` is the giver's wish that the new owner gets a new key, which nobody else knows.
    """

    token = models.ForeignKey(Token, on_delete=models.PROTECT, related_name="handovers")
    giver = models.ForeignKey(User, on_delete=models.PROTECT, related_name="handovers_given")
    heir = models.ForeignKey(User, on_delete=models.PROTECT, related_name="handovers_offered")
    renews = models.BooleanField()
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    answer = models.CharField(max_length=10, choices=HandoverAnswer, blank=True)
    answered_at = models.DateTimeField(null=True)

    objects = HandoverQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["token"], condition=Q(answered_at=None), name="handover_unanswered_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.token_id} to {self.heir_id}"

    def close(self, answer: HandoverAnswer) -> None:
        """Write what became of it."""
        self.answer = answer
        type(self).objects.filter(pk=self.pk).update(answer=answer, answered_at=Now())
